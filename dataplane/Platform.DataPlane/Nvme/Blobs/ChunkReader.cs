using System.Runtime.CompilerServices;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme.Io;
using Platform.DataPlane.Tiering;

namespace Platform.DataPlane.Nvme.Blobs;

/// <summary>Reads chunks of a blob from the device and compares them with their checksums.</summary>
internal sealed class ChunkReader(TierEnvironment tier, Blob blob)
{
    private readonly ChunkTable _chunks = blob.Chunks;

    private BlobLayout Layout => blob.Layout;

    /// <summary>Reads a part of a chunk that is on the device.</summary>
    /// <returns>Bytes that came from the device.</returns>
    /// <exception cref="StorageException"><see cref="StorageError.Corrupt"/>, with file and offset, or an I/O failure.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<long> ReadAsync(int index, int offsetInChunk, Memory<byte> target, CancellationToken cancellationToken)
    {
        var length = Layout.LengthOf(index);
        var whole = offsetInChunk == 0 && target.Length == length;
        if (whole && DirectFile.IsAligned(target))
        {
            return await ReadWholeAsync(index, target);
        }

        var verified = _chunks.IsVerified(index);
        if (verified && !whole && offsetInChunk % AlignedMemory.AlignmentBytes == 0 && DirectFile.IsAligned(target))
        {
            return await ReadPartAsync(index, offsetInChunk, target, target.Length);
        }

        using var buffer = await tier.Buffers.RentAsync(cancellationToken);
        long count;
        if (whole || !verified)
        {
            count = await ReadWholeAsync(index, buffer.Memory);
            Copy(buffer.Memory.Span.Slice(offsetInChunk, target.Length), target);
            return count;
        }

        // A part of a chunk that was verified before: only the sectors around it.
        var first = offsetInChunk & ~(AlignedMemory.AlignmentBytes - 1);
        var window = buffer.Memory[..(int)AlignedMemory.RoundUp(offsetInChunk + target.Length - first)];
        count = await ReadPartAsync(index, first, window, offsetInChunk - first + target.Length);
        Copy(window.Span.Slice(offsetInChunk - first, target.Length), target);
        return count;
    }

    private void Copy(ReadOnlySpan<byte> bytes, Memory<byte> target)
    {
        bytes.CopyTo(target.Span);
        tier.Meter.Copied(blob.Class, bytes.Length);
    }

    /// <summary>Compares every chunk with its checksum.</summary>
    /// <param name="fetcher">Its flights are waited for: a damaged chunk that somebody has just read is on its way back.</param>
    /// <param name="cancellationToken">Stops between chunks.</param>
    /// <returns>Chunks that differ, or cannot be read.</returns>
    public async Task<IReadOnlyList<ChunkDamage>> VerifyAsync(ChunkFetcher fetcher, CancellationToken cancellationToken)
    {
        var damaged = new List<ChunkDamage>();
        for (var index = 0; index < _chunks.Count; index++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await fetcher.SettleAsync(index, cancellationToken);
            lock (_chunks.Gate)
            {
                if (_chunks.IsAbsent(index))
                {
                    if (blob.Record.Crcs is not null)
                    {
                        damaged.Add(Describe(index, "it was found damaged before and could not be fetched again"));
                    }

                    continue;
                }
            }

            using var buffer = await tier.Buffers.RentAsync(cancellationToken);
            try
            {
                await ReadWholeAsync(index, buffer.Memory);
            }
            catch (StorageException cause) when (cause.Error is StorageError.Corrupt or StorageError.Io)
            {
                damaged.Add(Describe(index, cause.Message));
            }
        }

        return damaged;
    }

    private ChunkDamage Describe(int index, string problem) => new(index, Layout.OffsetOf(index), Layout.LengthOf(index), problem);

    /// <summary>Reads sectors of a chunk that was verified before.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<long> ReadPartAsync(int index, int offsetInChunk, Memory<byte> target, int neededBytes)
    {
        try
        {
            var count = await blob.File.ReadAsync(target, Layout.OffsetOf(index) + offsetInChunk);
            return count >= neededBytes ? count : throw Damaged(index, "the file is shorter than the blob");
        }
        catch (IOException cause) when (cause is not StorageException)
        {
            throw Unreadable(cause, Layout.OffsetOf(index) + offsetInChunk);
        }
    }

    /// <summary>Reads a whole chunk to the beginning of aligned memory and checks it.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<long> ReadWholeAsync(int index, Memory<byte> target)
    {
        var length = Layout.LengthOf(index);
        int count;
        try
        {
            count = await blob.File.ReadAsync(target[..(int)AlignedMemory.RoundUp(length)], Layout.OffsetOf(index));
        }
        catch (IOException cause)
        {
            throw Unreadable(cause, Layout.OffsetOf(index));
        }

        if (count < length)
        {
            throw Damaged(index, $"the file ends after {count} of {length} bytes");
        }

        if (!_chunks.IsVerified(index) || tier.IsSampled())
        {
            Verify(index, target.Span[..length]);
        }

        return count;
    }

    private void Verify(int index, ReadOnlySpan<byte> bytes)
    {
        var crc = Checksum.Crc32C(bytes);
        if (crc != _chunks.Crcs[index])
        {
            tier.Meter.Damaged(blob.Class);
            NvmeLog.ChunkDamaged(tier.Logger, blob.Key, Layout.OffsetOf(index), blob.FilePath, crc, _chunks.Crcs[index]);
            throw Damaged(index, $"checksum {crc:x8}, recorded {_chunks.Crcs[index]:x8}");
        }

        _chunks.Verify(index);
    }

    private StorageException Unreadable(IOException cause, long offset) => StorageException.From(cause, $"Blob '{blob.Key}' cannot be read from '{blob.FilePath}', offset {offset}");

    private StorageException Damaged(int index, string found) =>
        new(StorageError.Corrupt, $"'{blob.FilePath}', offset {Layout.OffsetOf(index)}: chunk {index} of blob '{blob.Key}' is damaged: {found}. "
            + (blob.Record.Durability == Durability.OnlyCopy ? "It is lost: the blob was written here and is nowhere else." : $"It can be fetched again from object '{blob.Record.ObjectKey}'."));
}
