using System.Runtime.InteropServices;
using System.Text;

namespace Platform.DataPlane.DeviceMemory.Cuda;

/// <summary>The part of CUDA's driver interface that moves bytes. Names and numbers are those of <c>cuda.h</c>; the suffixed entry points are the ones its macros choose.</summary>
internal static unsafe partial class CudaApi
{
    public const int Success = 0;
    public const int OutOfMemory = 2;
    public const int NoDevice = 100;
    public const uint StreamNonBlocking = 1;
    public const uint EventBlockingSync = 1;
    public const uint EventDisableTiming = 2;
    public const uint HostAllocPortable = 1;
    public const uint HostRegisterPortable = 1;

    private const string Library = "libcuda.so.1";

    /// <summary>True if a driver is installed.</summary>
    public static bool IsInstalled => NativeLibrary.TryLoad(Library, out _);

    [LibraryImport(Library)]
    public static partial int cuInit(uint flags);

    [LibraryImport(Library)]
    public static partial int cuDriverGetVersion(out int version);

    [LibraryImport(Library)]
    public static partial int cuDeviceGetCount(out int count);

    [LibraryImport(Library)]
    public static partial int cuDeviceGet(out int device, int ordinal);

    [LibraryImport(Library)]
    public static partial int cuDeviceGetName(byte* name, int length, int device);

    [LibraryImport(Library)]
    public static partial int cuDeviceGetPCIBusId(byte* id, int length, int device);

    [LibraryImport(Library, EntryPoint = "cuDeviceTotalMem_v2")]
    public static partial int cuDeviceTotalMem(out nuint bytes, int device);

    [LibraryImport(Library)]
    public static partial int cuDevicePrimaryCtxRetain(out nint context, int device);

    [LibraryImport(Library, EntryPoint = "cuDevicePrimaryCtxRelease_v2")]
    public static partial int cuDevicePrimaryCtxRelease(int device);

    [LibraryImport(Library)]
    public static partial int cuCtxSetCurrent(nint context);

    [LibraryImport(Library, EntryPoint = "cuMemGetInfo_v2")]
    public static partial int cuMemGetInfo(out nuint free, out nuint total);

    [LibraryImport(Library, EntryPoint = "cuMemAlloc_v2")]
    public static partial int cuMemAlloc(out ulong device, nuint size);

    [LibraryImport(Library, EntryPoint = "cuMemFree_v2")]
    public static partial int cuMemFree(ulong device);

    [LibraryImport(Library)]
    public static partial int cuMemHostAlloc(out nint host, nuint size, uint flags);

    [LibraryImport(Library)]
    public static partial int cuMemFreeHost(nint host);

    [LibraryImport(Library, EntryPoint = "cuMemHostRegister_v2")]
    public static partial int cuMemHostRegister(nint host, nuint size, uint flags);

    [LibraryImport(Library)]
    public static partial int cuMemHostUnregister(nint host);

    [LibraryImport(Library)]
    public static partial int cuStreamCreate(out nint stream, uint flags);

    [LibraryImport(Library, EntryPoint = "cuStreamDestroy_v2")]
    public static partial int cuStreamDestroy(nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemcpyHtoDAsync_v2")]
    public static partial int cuMemcpyHtoDAsync(ulong target, void* source, nuint size, nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemcpyDtoHAsync_v2")]
    public static partial int cuMemcpyDtoHAsync(void* target, ulong source, nuint size, nint stream);

    [LibraryImport(Library)]
    public static partial int cuEventCreate(out nint created, uint flags);

    [LibraryImport(Library)]
    public static partial int cuEventRecord(nint recorded, nint stream);

    [LibraryImport(Library)]
    public static partial int cuEventSynchronize(nint awaited);

    [LibraryImport(Library, EntryPoint = "cuEventDestroy_v2")]
    public static partial int cuEventDestroy(nint destroyed);

    [LibraryImport(Library)]
    public static partial int cuGetErrorString(int error, out byte* text);

    /// <summary>Throws unless the call succeeded.</summary>
    public static void Check(int error, string call, string device)
    {
        if (error != Success)
        {
            throw new AcceleratorException($"{call} failed on '{device}' with CUDA error {error}: {TextOf(error)}.", error);
        }
    }

    /// <summary>The driver's words for an error.</summary>
    public static string TextOf(int error) => cuGetErrorString(error, out var text) == Success && text is not null ? Marshal.PtrToStringUTF8((nint)text) ?? "unknown" : "unknown";

    /// <summary>A device's own name.</summary>
    public static string NameOf(int device)
    {
        Span<byte> name = stackalloc byte[256];
        fixed (byte* start = name)
        {
            Check(cuDeviceGetName(start, name.Length, device), nameof(cuDeviceGetName), $"device {device}");
        }

        return Text(name);
    }

    /// <summary>Where a device is, as NVML wants to hear it.</summary>
    public static string BusIdOf(int device)
    {
        Span<byte> id = stackalloc byte[64];
        fixed (byte* start = id)
        {
            Check(cuDeviceGetPCIBusId(start, id.Length, device), nameof(cuDeviceGetPCIBusId), $"device {device}");
        }

        return Text(id);
    }

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes[..Math.Max(0, bytes.IndexOf((byte)0))]);
}
