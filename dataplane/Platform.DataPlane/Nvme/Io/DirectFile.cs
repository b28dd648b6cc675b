using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Platform.DataPlane.HostMemory;

namespace Platform.DataPlane.Nvme.Io;

/// <summary>One file for direct I/O. Offsets, lengths and memory are multiples of 4096, except that a read may ask for more than the file has.</summary>
/// <remarks>Any number of threads at once. Errors are <see cref="IOException"/>s whose <see cref="Exception.HResult"/> is the error number.</remarks>
internal sealed class DirectFile(DirectDevice device, SafeFileHandle handle, string path) : IDisposable
{
    public string Path => path;

    /// <summary>True for native memory that direct I/O can use as it is.</summary>
    public static unsafe bool IsAligned(Memory<byte> memory) =>
        !MemoryMarshal.TryGetArray<byte>(memory, out _)
        && memory.Length % AlignedMemory.AlignmentBytes == 0
        && (nuint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(memory.Span)) % AlignedMemory.AlignmentBytes == 0;

    /// <summary>Reads from <paramref name="offset"/> until <paramref name="target"/> is full or the file ends.</summary>
    /// <returns>Bytes read.</returns>
    public async Task<int> ReadAsync(Memory<byte> target, long offset)
    {
        var read = 0;
        await device.RunAsync(() =>
        {
            device.Fault("blob.read");
            while (read < target.Length)
            {
                var count = RandomAccess.Read(handle, target.Span[read..], offset + read);
                device.CountRead(count);
                read += count;

                // A read that stops short of a sector boundary has met the end of the file, and direct I/O could not go on from there.
                if (count == 0 || read % 512 != 0)
                {
                    break;
                }
            }
        });
        return read;
    }

    /// <summary>Writes all of <paramref name="source"/> at <paramref name="offset"/>.</summary>
    public Task WriteAsync(ReadOnlyMemory<byte> source, long offset) => device.RunAsync(() =>
    {
        device.Fault("blob.write");
        RandomAccess.Write(handle, source.Span, offset);
        device.CountWrite(source.Length);
    });

    /// <summary>Makes all completed writes durable.</summary>
    public Task SyncAsync() => device.RunAsync(() =>
    {
        device.Fault("blob.sync");
        Posix.SyncData(handle);
    });

    /// <summary>Reserves space and sets the length.</summary>
    public void Allocate(long lengthBytes)
    {
        device.Fault("blob.allocate");
        Posix.Allocate(handle, lengthBytes);
    }

    /// <summary>Cuts the file to its exact length.</summary>
    public void SetLength(long lengthBytes)
    {
        device.Fault("blob.cut");
        RandomAccess.SetLength(handle, lengthBytes);
    }

    public void Dispose() => handle.Dispose();
}
