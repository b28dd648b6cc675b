using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Platform.DataPlane.HostMemory;

namespace Platform.DataPlane.Nvme.Io;

/// <summary>One file for direct I/O. Offsets, lengths and memory are multiples of 4096, except that a read may ask for more than the file has.</summary>
/// <remarks>Any number of threads at once. Errors are <see cref="IOException"/>s whose <see cref="Exception.HResult"/> is the error number.</remarks>
internal sealed class DirectFile : IDisposable
{
    public DirectFile(DirectDevice device, SafeFileHandle handle, string path, bool isDirect, FaultArea area)
    {
        Device = device;
        Handle = handle;
        Path = path;
        UsesRing = isDirect && device.UsesRing && AioRing.Shared is not null;
        Area = area;
    }

    public DirectDevice Device { get; }

    public SafeFileHandle Handle { get; }

    public string Path { get; }

    /// <summary>True if the kernel does its reads and writes without a thread that waits.</summary>
    public bool UsesRing { get; }

    /// <summary>Names the fault points that it passes.</summary>
    public FaultArea Area { get; }

    /// <summary>True for native memory that direct I/O can use as it is.</summary>
    public static unsafe bool IsAligned(Memory<byte> memory) =>
        !MemoryMarshal.TryGetArray<byte>(memory, out _)
        && memory.Length % AlignedMemory.AlignmentBytes == 0
        && (nuint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(memory.Span)) % AlignedMemory.AlignmentBytes == 0;

    /// <summary>Reads from <paramref name="offset"/> until <paramref name="target"/> is full or the file ends.</summary>
    /// <returns>Bytes read.</returns>
    public ValueTask<int> ReadAsync(Memory<byte> target, long offset) => IoRequest.Start(this, isWrite: false, target, offset);

    /// <summary>Writes all of <paramref name="source"/> at <paramref name="offset"/>.</summary>
    public ValueTask<int> WriteAsync(ReadOnlyMemory<byte> source, long offset) => IoRequest.Start(this, isWrite: true, source, offset);

    /// <summary>Makes all completed writes durable.</summary>
    public Task SyncAsync() => Device.Threads.RunAsync(Sync);

    /// <summary>As <see cref="SyncAsync"/>, on the calling thread.</summary>
    public void Sync()
    {
        Device.Fault(Area.Sync);
        Posix.SyncData(Handle);
    }

    /// <summary>Reserves space and sets the length.</summary>
    public void Allocate(long lengthBytes)
    {
        Device.Fault(Area.Allocate);
        Posix.Allocate(Handle, lengthBytes);
    }

    /// <summary>Cuts the file to its exact length.</summary>
    public void SetLength(long lengthBytes)
    {
        Device.Fault(Area.Cut);
        RandomAccess.SetLength(Handle, lengthBytes);
    }

    public void Dispose() => Handle.Dispose();
}
