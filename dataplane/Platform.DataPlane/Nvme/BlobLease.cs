using System.Runtime.CompilerServices;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme.Blobs;
using Platform.DataPlane.Nvme.Residency;

namespace Platform.DataPlane.Nvme;

/// <summary>A hold on a blob: while it lasts the blob is not evicted, and its bytes can be read, from the device or, the first time, from object storage.</summary>
/// <remarks>Reads may run from any number of threads; dispose after the last has ended.</remarks>
public sealed class BlobLease : IAsyncDisposable
{
    private readonly Blob _blob;
    private readonly BlobSource? _source;
    private readonly Removal _removal;
    private long _nvmeBytes;
    private int _disposed;

    internal BlobLease(Blob blob, BlobSource? source, Removal removal)
    {
        _blob = blob;
        _source = source;
        _removal = removal;
    }

    /// <summary>The blob's key.</summary>
    public string Key => _blob.Record.Key;

    /// <summary>The blob's length.</summary>
    public long LengthBytes => _blob.Layout.LengthBytes;

    /// <summary>Bytes of every chunk but the last: reads of whole chunks into aligned memory are the fast ones.</summary>
    public int ChunkBytes => _blob.Layout.ChunkBytes;

    /// <summary>True if the blob is whole in the tier.</summary>
    public bool IsSealed => _blob.IsSealed;

    /// <summary>Bytes that reads of this lease took from the device.</summary>
    public long NvmeBytes => Interlocked.Read(ref _nvmeBytes);

    /// <summary>Path of the sealed file, for programs that open files. Valid while the lease lasts; nobody may write to it.</summary>
    /// <exception cref="InvalidOperationException">The blob is not whole yet: await <see cref="FillAsync"/>.</exception>
    public string FilePath => IsSealed ? _blob.FilePath : throw new InvalidOperationException($"Blob '{Key}' is not whole yet; await {nameof(FillAsync)} first.");

    /// <summary>Fills <paramref name="target"/> from <paramref name="offset"/>. Chunks that are not here are fetched, once for all who ask.</summary>
    /// <exception cref="StorageException">The bytes cannot be had: <see cref="StorageError.Changed"/>, <see cref="StorageError.NotFound"/>, <see cref="StorageError.Truncated"/>, <see cref="StorageError.Corrupt"/>, <see cref="StorageError.Full"/> or an I/O failure.</exception>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public async ValueTask ReadAsync(long offset, Memory<byte> target, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, LengthBytes - target.Length);
        var layout = _blob.Layout;
        while (!target.IsEmpty)
        {
            var index = layout.IndexOf(offset);
            var inChunk = (int)(offset - layout.OffsetOf(index));
            var count = Math.Min(target.Length, layout.LengthOf(index) - inChunk);
            Interlocked.Add(ref _nvmeBytes, await _blob.ReadAsync(index, inChunk, target[..count], _source?.Storage, cancellationToken));
            target = target[count..];
            offset += count;
        }
    }

    /// <summary>Reads bytes into memory of the tier, read straight into it where they lie within one chunk.</summary>
    /// <param name="offset">Where they begin.</param>
    /// <param name="lengthBytes">How many.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <returns>The bytes; dispose it when nothing reads them any more.</returns>
    /// <exception cref="StorageException">As <see cref="ReadAsync"/>.</exception>
    public async ValueTask<BlobView> ReadViewAsync(long offset, int lengthBytes, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(lengthBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, LengthBytes - lengthBytes);

        // From the sector before to the sector after: direct I/O knows nothing smaller.
        var start = offset & ~(AlignedMemory.AlignmentBytes - 1L);
        var end = Math.Min(AlignedMemory.RoundUp(offset + lengthBytes), LengthBytes);
        var cache = _blob.ViewMemory(end - start);
        var memory = cache?.Take() ?? new AlignedMemory(end - start);
        try
        {
            await ReadAsync(start, memory.Slice(0, (int)(end - start)), cancellationToken);
            return new BlobView(memory, cache, memory.Slice(offset - start, lengthBytes));
        }
        catch
        {
            new BlobView(memory, cache, default).Dispose();
            throw;
        }
    }

    /// <summary>Reads the whole blob as chunks in order, some of them ahead of the consumer.</summary>
    /// <param name="depth">Chunks on their way or waiting at once, at least 1; bounded by the tier's buffers as well.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <returns>Each chunk's bytes, valid until the next is asked for.</returns>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAllAsync(int depth = 4, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(depth, 1);
        var layout = _blob.Layout;
        using var pool = _blob.PipelineBuffers(depth);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var ahead = new Queue<Task<AlignedBuffer>>();
        try
        {
            var next = 0;
            for (var index = 0; index < layout.ChunkCount; index++)
            {
                while (next < layout.ChunkCount && ahead.Count < depth)
                {
                    ahead.Enqueue(ReadChunkAsync(pool, next++, stop.Token));
                }

                using var buffer = await ahead.Dequeue();
                yield return buffer.Memory[..layout.LengthOf(index)];
            }
        }
        finally
        {
            await stop.CancelAsync();
            foreach (var task in ahead)
            {
                await ((Task)task).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                if (task.IsCompletedSuccessfully)
                {
                    (await task).Dispose();
                }
            }
        }
    }

    /// <summary>Fetches what is missing and completes when the blob is sealed.</summary>
    /// <param name="depth">Chunks on their way at once.</param>
    /// <param name="cancellationToken">Ends the waiting; chunks on their way still land.</param>
    public async Task FillAsync(int depth = 4, CancellationToken cancellationToken = default)
    {
        if (!IsSealed)
        {
            await Parallel.ForAsync(0, _blob.Layout.ChunkCount, new ParallelOptions { MaxDegreeOfParallelism = depth, CancellationToken = cancellationToken }, async (index, token) =>
                await _blob.EnsureAsync(index, _source?.Storage, token));
        }

        await _blob.Recorder.SealIfWhole().WaitAsync(cancellationToken);
    }

    /// <summary>Lets the blob go.</summary>
    public ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _removal.Release(_blob);
        }

        return ValueTask.CompletedTask;
    }

    private async Task<AlignedBuffer> ReadChunkAsync(AlignedBufferPool pool, int index, CancellationToken cancellationToken)
    {
        var buffer = await pool.RentAsync(cancellationToken);
        try
        {
            var length = _blob.Layout.LengthOf(index);
            Interlocked.Add(ref _nvmeBytes, await _blob.ReadAsync(index, 0, buffer.Memory[..length], _source?.Storage, cancellationToken));
            return buffer;
        }
        catch
        {
            buffer.Dispose();
            throw;
        }
    }
}
