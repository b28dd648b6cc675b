using System.Runtime.InteropServices;
using System.Text;

namespace Platform.DataPlane.DeviceMemory.OpenCl;

/// <summary>The part of OpenCL 1.2 that moves bytes. Names and numbers are those of <c>CL/cl.h</c>.</summary>
internal static unsafe partial class OpenClApi
{
    public const int Success = 0;
    public const int MemObjectAllocationFailure = -4;
    public const int OutOfResources = -5;
    public const int OutOfHostMemory = -6;
    public const int InvalidBufferSize = -61;

    public const ulong DeviceTypeCpu = 1 << 1;
    public const ulong DeviceTypeAll = 0xFFFFFFFF;

    public const uint DeviceType = 0x1000;
    public const uint DeviceMaxMemAllocSize = 0x1010;
    public const uint DeviceGlobalMemSize = 0x101F;
    public const uint DeviceName = 0x102B;
    public const uint DeviceVersion = 0x102F;
    public const uint PlatformName = 0x0902;

    public const ulong MemReadWrite = 1 << 0;
    public const ulong MemAllocHostPtr = 1 << 4;
    public const ulong MapReadWrite = 3;

    private const string Library = "libOpenCL.so.1";

    /// <summary>True if the loader is installed.</summary>
    public static bool IsInstalled => NativeLibrary.TryLoad(Library, out _);

    [LibraryImport(Library)]
    public static partial int clGetPlatformIDs(uint count, nint* platforms, out uint found);

    [LibraryImport(Library)]
    public static partial int clGetPlatformInfo(nint platform, uint what, nuint size, byte* value, out nuint needed);

    [LibraryImport(Library)]
    public static partial int clGetDeviceIDs(nint platform, ulong type, uint count, nint* devices, out uint found);

    [LibraryImport(Library)]
    public static partial int clGetDeviceInfo(nint device, uint what, nuint size, byte* value, out nuint needed);

    [LibraryImport(Library)]
    public static partial nint clCreateContext(nint properties, uint count, in nint devices, nint notify, nint user, out int error);

    [LibraryImport(Library)]
    public static partial int clReleaseContext(nint context);

    [LibraryImport(Library)]
    public static partial nint clCreateCommandQueue(nint context, nint device, ulong properties, out int error);

    [LibraryImport(Library)]
    public static partial int clReleaseCommandQueue(nint queue);

    [LibraryImport(Library)]
    public static partial nint clCreateBuffer(nint context, ulong flags, nuint size, nint host, out int error);

    [LibraryImport(Library)]
    public static partial int clReleaseMemObject(nint memory);

    [LibraryImport(Library)]
    public static partial void* clEnqueueMapBuffer(nint queue, nint memory, uint blocking, ulong flags, nuint offset, nuint size, uint waits, nint waitList, nint completed, out int error);

    [LibraryImport(Library)]
    public static partial int clEnqueueUnmapMemObject(nint queue, nint memory, void* mapped, uint waits, nint waitList, nint completed);

    [LibraryImport(Library)]
    public static partial int clEnqueueWriteBuffer(nint queue, nint memory, uint blocking, nuint offset, nuint size, void* source, uint waits, nint waitList, out nint completed);

    [LibraryImport(Library)]
    public static partial int clEnqueueReadBuffer(nint queue, nint memory, uint blocking, nuint offset, nuint size, void* target, uint waits, nint waitList, out nint completed);

    [LibraryImport(Library)]
    public static partial int clEnqueueMarkerWithWaitList(nint queue, uint waits, nint waitList, out nint completed);

    [LibraryImport(Library)]
    public static partial int clFlush(nint queue);

    [LibraryImport(Library)]
    public static partial int clFinish(nint queue);

    [LibraryImport(Library)]
    public static partial int clWaitForEvents(uint count, in nint events);

    [LibraryImport(Library)]
    public static partial int clReleaseEvent(nint completed);

    /// <summary>Throws unless the call succeeded.</summary>
    public static void Check(int error, string call, string device)
    {
        if (error != Success)
        {
            throw new AcceleratorException($"{call} failed on '{device}' with OpenCL error {error}. See the table of errors in CL/cl.h.", error);
        }
    }

    /// <summary>A string that a device tells.</summary>
    public static string TextOf(nint device, uint what) => Text((nuint size, byte* value, out nuint needed) => clGetDeviceInfo(device, what, size, value, out needed));

    /// <summary>A platform's name.</summary>
    public static string NameOfPlatform(nint platform) => Text((nuint size, byte* value, out nuint needed) => clGetPlatformInfo(platform, PlatformName, size, value, out needed));

    /// <summary>A number of 64 bits that a device tells.</summary>
    public static ulong NumberOf(nint device, uint what)
    {
        ulong value = 0;
        Check(clGetDeviceInfo(device, what, sizeof(ulong), (byte*)&value, out _), nameof(clGetDeviceInfo), "device");
        return value;
    }

    private static string Text(Query query)
    {
        Check(query(0, null, out var needed), "query", "device");
        var bytes = new byte[(int)needed];
        fixed (byte* value = bytes)
        {
            Check(query(needed, value, out _), "query", "device");
        }

        return Encoding.UTF8.GetString(bytes).TrimEnd('\0').Trim();
    }

    private delegate int Query(nuint size, byte* value, out nuint needed);
}
