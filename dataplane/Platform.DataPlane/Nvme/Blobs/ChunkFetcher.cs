using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme.Io;
using Platform.DataPlane.ObjectStorage;

namespace Platform.DataPlane.Nvme.Blobs;

/// <summary>Brings chunks of a blob from object storage to the device, each once for all who ask; who asks gets the bytes as soon as they are in memory.</summary>
internal sealed class ChunkFetcher(TierEnvironment tier, Blob blob)
{
    private readonly ChunkTable _chunks = blob.Chunks;
    private readonly Dictionary<int, ChunkFlight> _flights = [];

    /// <summary>Content bytes that can be read without asking object storage: on the device, or in memory on their way to it.</summary>
    public long LandedBytes
    {
        get
        {
            lock (_chunks.Gate)
            {
                return _chunks.IsWhole ? blob.Layout.LengthBytes : Enumerable.Range(0, _chunks.Count).Where(IsHere).Sum(index => (long)blob.Layout.LengthOf(index));
            }
        }
    }

    /// <summary>Reads a part of a chunk that is absent or on its way.</summary>
    /// <returns>False if the chunk is on the device: read it there.</returns>
    public ValueTask<bool> TryReadAsync(int index, int offsetInChunk, Memory<byte> target, IObjectStorage? storage, CancellationToken cancellationToken) =>
        IsOnDevice(index) ? new(false) : new(TryJoinAsync(index, offsetInChunk, target, storage, cancellationToken));

    private bool IsOnDevice(int index)
    {
        lock (_chunks.Gate)
        {
            return !_flights.ContainsKey(index) && !_chunks.IsAbsent(index);
        }
    }

    private async Task<bool> TryJoinAsync(int index, int offsetInChunk, Memory<byte> target, IObjectStorage? storage, CancellationToken cancellationToken)
    {
        var direct = offsetInChunk == 0 && target.Length == blob.Layout.LengthOf(index) && DirectFile.IsAligned(target);
        while (true)
        {
            var flight = Join(index, direct ? target : default, storage, out var mine);
            if (flight is null)
            {
                return false;
            }

            if (mine && direct)
            {
                // The chunk is fetched into the caller's memory and written from there, so the caller waits for the write even if it no longer wants to.
                await flight.Landed;
                return true;
            }

            if (flight.TryEnter())
            {
                try
                {
                    var bytes = await flight.Arrived.WaitAsync(cancellationToken);
                    bytes.Slice(offsetInChunk, target.Length).CopyTo(target);
                    tier.Meter.Copied(blob.Class, target.Length);
                    return true;
                }
                finally
                {
                    flight.Leave();
                }
            }

            // It landed between the look and the join.
            await flight.Landed.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Fetches a chunk if it is not here, and completes when it is.</summary>
    public async Task EnsureAsync(int index, IObjectStorage? storage, CancellationToken cancellationToken)
    {
        if (Join(index, default, storage, out _) is { } flight)
        {
            await flight.Landed.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Waits for a chunk that is on its way, however it ends.</summary>
    public async Task SettleAsync(int index, CancellationToken cancellationToken)
    {
        ChunkFlight? flight;
        lock (_chunks.Gate)
        {
            _flights.TryGetValue(index, out flight);
        }

        if (flight is not null)
        {
            await flight.Landed.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>Waits for chunks that are on their way.</summary>
    public async Task QuiesceAsync()
    {
        Task[] running;
        lock (_chunks.Gate)
        {
            running = [.. _flights.Values.Select(flight => flight.Landed)];
        }

        await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private bool IsHere(int index) => !_chunks.IsAbsent(index) || (_flights.TryGetValue(index, out var flight) && flight.Arrived.IsCompletedSuccessfully);

    /// <summary>The flight of a chunk, a new one if it is absent; null if it is on the device.</summary>
    private ChunkFlight? Join(int index, Memory<byte> destination, IObjectStorage? storage, out bool mine)
    {
        mine = false;
        lock (_chunks.Gate)
        {
            if (!_flights.TryGetValue(index, out var flight) && _chunks.IsAbsent(index))
            {
                mine = true;
                flight = new ChunkFlight();
                _flights.Add(index, flight);
                _chunks.OnTheirWay = _flights.Count;
                flight.Landed = FetchAsync(flight, index, destination, storage);
            }

            return flight;
        }
    }

    private async Task FetchAsync(ChunkFlight flight, int index, Memory<byte> destination, IObjectStorage? storage)
    {
        // Off the caller's stack: it has not yet stored this task.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        var record = blob.Record;
        AlignedBuffer? buffer = null;
        try
        {
            if (storage is null)
            {
                throw new StorageException(StorageError.NotFound, $"Chunk {index} of blob '{record.Key}' is not in the tier, and this lease has no object storage to fetch it from. Open the blob with its source.");
            }

            var length = record.Layout.LengthOf(index);
            if (!DirectFile.IsAligned(destination))
            {
                buffer = await tier.Buffers.RentAsync(tier.Closing.Token);
                destination = buffer.Memory[..(int)AlignedMemory.RoundUp(length)];
                destination.Span[length..].Clear();
            }

            await storage.ReadAsync(record.ObjectKey, record.Layout.OffsetOf(index), destination[..length], record.ETag, tier.Closing.Token);
            var crc = Checksum.Crc32C(destination.Span[..length]);
            CheckSameAsBefore(index, crc);
            flight.Arrive(destination[..length]);
            tier.Meter.Fetched(record.Class, length);
            await blob.File.WriteAsync(destination, record.Layout.OffsetOf(index));
            if (record.Crcs is not null && index == record.Layout.ChunkCount - 1)
            {
                // Whole sectors were written; a sealed file has the object's exact length.
                blob.File.SetLength(record.LengthBytes);
            }

            Land(index, crc);
            tier.Meter.Landed(record.Class);
            flight.Leave();
            await flight.Left;
        }
        catch (Exception cause)
        {
            var failure = FailureOf(cause, $"Chunk {index} of blob '{record.Key}' (object '{record.ObjectKey}')");
            lock (_chunks.Gate)
            {
                Remove(index);
                blob.Recorder.Settle();
            }

            flight.Fail(failure);
            flight.Leave();
            await flight.Left;
            throw failure;
        }
        finally
        {
            buffer?.Dispose();
        }
    }

    private Exception FailureOf(Exception cause, string what) => cause switch
    {
        OperationCanceledException when tier.Closing.IsCancellationRequested => new ObjectDisposedException(nameof(NvmeTier), $"{what} was on its way when the tier was closed."),
        OperationCanceledException => cause,
        _ => StorageException.From(cause, what),
    };

    private void Land(int index, uint crc)
    {
        lock (_chunks.Gate)
        {
            Remove(index);
            _chunks.Land(index, crc);
            blob.Recorder.Landed(index);
        }
    }

    private void Remove(int index)
    {
        _flights.Remove(index);
        _chunks.OnTheirWay = _flights.Count;
    }

    /// <summary>A chunk that was dropped because it was damaged must come back as it was: same object, same ETag.</summary>
    private void CheckSameAsBefore(int index, uint crc)
    {
        var record = blob.Record;
        if (record.Crcs is { } recorded && recorded[index] != crc)
        {
            throw new StorageException(
                StorageError.Corrupt,
                $"Object '{record.ObjectKey}' with ETag {record.ETag}, bytes from {record.Layout.OffsetOf(index)}: checksum {crc:x8} now, {recorded[index]:x8} when the blob was sealed. The object is damaged or its ETag lies; publish it again.");
        }
    }
}
