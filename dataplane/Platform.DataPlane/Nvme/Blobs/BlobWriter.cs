using System.Runtime.InteropServices;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.Nvme.Blobs;

/// <summary>Takes the bytes of a new blob from a stream, chunks written while the next is read, or from memory.</summary>
internal sealed class BlobWriter(TierEnvironment tier, Blob blob)
{
    /// <summary>Writes all chunks. Sealing comes after, see <see cref="BlobRecorder.SealAsync"/>.</summary>
    public async Task WriteAsync(Stream content, CancellationToken cancellationToken)
    {
        var writes = new List<Task>();
        try
        {
            for (var index = 0; index < blob.Chunks.Count; index++)
            {
                var length = blob.Layout.LengthOf(index);
                var buffer = await TakeAsync(content, index, length, cancellationToken);
                var padded = buffer.Memory[..(int)AlignedMemory.RoundUp(length)];
                padded.Span[length..].Clear();
                writes.Add(WriteChunkAsync(index, Checksum.Crc32C(padded.Span[..length]), buffer, padded));
            }
        }
        finally
        {
            await Task.WhenAll(writes);
        }
    }

    /// <summary>Writes all chunks from where they lie; only what direct I/O cannot take so is copied: memory that is not aligned, and an end that is no multiple of 4096.</summary>
    public async Task WriteAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var writes = new List<Task>();
        try
        {
            for (var index = 0; index < blob.Chunks.Count; index++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (index >= tier.Options.Buffers)
                {
                    await writes[index - tier.Options.Buffers];
                }

                var chunk = content.Slice((int)blob.Layout.OffsetOf(index), blob.Layout.LengthOf(index));
                var crc = Checksum.Crc32C(chunk.Span);
                if (DirectFile.IsAligned(MemoryMarshal.AsMemory(chunk)))
                {
                    writes.Add(WriteChunkAsync(index, crc, buffer: null, chunk));
                    continue;
                }

                var copy = await tier.Buffers.RentAsync(cancellationToken);
                var padded = copy.Memory[..(int)AlignedMemory.RoundUp(chunk.Length)];
                chunk.Span.CopyTo(padded.Span);
                padded.Span[chunk.Length..].Clear();
                writes.Add(WriteChunkAsync(index, crc, copy, padded));
            }
        }
        finally
        {
            // Whatever ends this: the memory is its owner's again.
            await Task.WhenAll(writes);
        }
    }

    /// <summary>Reads a chunk from the stream into a buffer.</summary>
    private async Task<AlignedBuffer> TakeAsync(Stream content, int index, int length, CancellationToken cancellationToken)
    {
        await tier.Incoming.WaitAsync(cancellationToken);
        AlignedBuffer? buffer = null;
        try
        {
            buffer = await tier.Buffers.RentAsync(cancellationToken);
            var count = await content.ReadAtLeastAsync(buffer.Memory[..length], length, throwOnEndOfStream: false, cancellationToken);
            return count == length ? buffer : throw new StorageException(StorageError.Truncated, $"Blob '{blob.Key}': {blob.Layout.OffsetOf(index) + count} bytes came, {blob.Layout.LengthBytes} were announced.");
        }
        catch
        {
            buffer?.Dispose();
            throw;
        }
        finally
        {
            tier.Incoming.Release();
        }
    }

    private async Task WriteChunkAsync(int index, uint crc, AlignedBuffer? buffer, ReadOnlyMemory<byte> padded)
    {
        using (buffer)
        {
            await blob.File.WriteAsync(padded, blob.Layout.OffsetOf(index));
        }

        lock (blob.Chunks.Gate)
        {
            blob.Chunks.Land(index, crc);
        }
    }
}
