using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.ObjectStorage;
using Platform.DataPlane.Tiering;

namespace Platform.DataPlane.Nvme;

/// <summary>A blob of an open tier: which chunks are here, which are on their way, who uses it.</summary>
internal sealed class Blob : IBudgetItem, IDisposable
{
    // A sync makes the device wait for all writes before it. Under a steady stream one per 32 MiB costs little, and so much at most is fetched again after a crash.
    private const long RecordBytes = 32 << 20;

    private readonly NvmeTier _tier;
    private readonly Lock _gate = new();
    private readonly uint[] _crcs;
    private readonly ChunkState[] _states;
    private readonly Dictionary<int, ChunkFlight> _flights = [];
    private readonly List<int> _unrecorded = [];
    private readonly TaskCompletionSource _sealed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private DirectFile? _file;
    private Task _recording = Task.CompletedTask;
    private bool _recordingRuns;
    private int _landed;

    public Blob(NvmeTier tier, BlobRecord record)
    {
        _tier = tier;
        Record = record;
        _crcs = record.Crcs ?? new uint[record.Layout.ChunkCount];
        _states = new ChunkState[record.Layout.ChunkCount];
        if (record.Crcs is not null)
        {
            Array.Fill(_states, ChunkState.Landed);
            _landed = _states.Length;
            _sealed.SetResult();
        }
    }

    private enum ChunkState : byte
    {
        Absent,
        Landed,
        Verified,
    }

    public BlobRecord Record { get; private set; }

    public BlobLayout Layout => Record.Layout;

    public string Key => Record.Key;

    public TierClass Class => Record.Class;

    public long AllocatedBytes => Layout.AllocatedBytes;

    public bool MayGo => Leases == 0 && Record.Durability != Durability.OnlyCopy;

    /// <summary>Tries so far to copy an only copy to object storage, and what the last said.</summary>
    public (int Tries, string? LastFailure) Upload { get; set; }

    public string FilePath => BlobLayout.PathOf(_tier.Options.Folder, Record.Id);

    public bool IsSealed => _sealed.Task.IsCompletedSuccessfully;

    /// <summary>Completes when the blob is whole and its record says so.</summary>
    public Task Sealed => _sealed.Task;

    /// <summary>Open leases. Under the tier's gate.</summary>
    public int Leases { get; set; }

    /// <summary>Rises with every lease. Under the tier's gate.</summary>
    public long LastUsed { get; set; }

    /// <summary>True once the catalog no longer has it, or is about to lose it; the file goes when the last lease does, and nothing more is recorded.</summary>
    public bool IsRemoved { get; set; }

    /// <summary>Content bytes that can be read without asking object storage: on the device, or in memory on their way to it.</summary>
    public long LandedBytes
    {
        get
        {
            lock (_gate)
            {
                return _landed == _states.Length
                    ? Layout.LengthBytes
                    : _states.Index().Where(chunk => IsHere(chunk.Index)).Sum(chunk => (long)Layout.LengthOf(chunk.Index));
            }
        }
    }

    /// <summary>Notes a chunk that the catalog says is durable. Only while the tier opens.</summary>
    public void Recover(int index, uint crc)
    {
        _crcs[index] = crc;
        _states[index] = ChunkState.Landed;
        _landed++;
    }

    /// <summary>Opens the file, creating it for a new blob.</summary>
    public void OpenFile(bool create)
    {
        _file = _tier.Device.Open(FilePath, create);
        if (create)
        {
            _file.Allocate(Layout.AllocatedBytes);
        }
    }

    /// <summary>Reads a part of one chunk, fetching the chunk first if it is not here.</summary>
    /// <returns>Bytes that came from the device.</returns>
    public async Task<long> ReadAsync(int index, int offsetInChunk, Memory<byte> target, IObjectStorage? storage, CancellationToken cancellationToken)
    {
        var direct = offsetInChunk == 0 && target.Length == Layout.LengthOf(index) && IsAligned(target);
        while (true)
        {
            ChunkFlight? flight;
            var mine = false;
            lock (_gate)
            {
                if (!_flights.TryGetValue(index, out flight) && _states[index] == ChunkState.Absent)
                {
                    mine = true;
                    flight = new ChunkFlight();
                    _flights.Add(index, flight);
                    flight.Landed = FetchAsync(flight, index, direct ? target : default, storage);
                }
            }

            if (mine && direct)
            {
                // The chunk is fetched into the caller's memory and written from there, so the caller waits for the write even if it no longer wants to.
                await flight!.Landed;
                return 0;
            }

            if (flight is null)
            {
                try
                {
                    return await ReadFromDeviceAsync(index, offsetInChunk, target, cancellationToken);
                }
                catch (StorageException cause) when (cause.Error == StorageError.Corrupt && storage is not null)
                {
                    DropChunk(index);
                    continue;
                }
            }

            if (flight.TryEnter())
            {
                try
                {
                    var bytes = await flight.Arrived.WaitAsync(cancellationToken);
                    bytes.Slice(offsetInChunk, target.Length).CopyTo(target);
                    return 0;
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
        ChunkFlight? flight;
        lock (_gate)
        {
            if (!_flights.TryGetValue(index, out flight))
            {
                if (_states[index] != ChunkState.Absent)
                {
                    return;
                }

                flight = new ChunkFlight();
                _flights.Add(index, flight);
                flight.Landed = FetchAsync(flight, index, default, storage);
            }
        }

        await flight.Landed.WaitAsync(cancellationToken);
    }

    /// <summary>Seals what <see cref="WriteAsync"/> wrote, together with other writes to the catalog.</summary>
    public Task SealWrittenAsync(IReadOnlyList<DurableWrite> alsoCommit) => SealAsync(alsoCommit);

    /// <summary>Takes the bytes of a new blob from a stream, chunks written while the next is read.</summary>
    public async Task WriteAsync(Stream content, CancellationToken cancellationToken)
    {
        var writes = new List<Task>();
        try
        {
            for (var index = 0; index < _states.Length; index++)
            {
                var length = Layout.LengthOf(index);
                var buffer = await _tier.Buffers.RentAsync(cancellationToken);
                var padded = buffer.Memory[..(int)AlignedMemory.RoundUp(length)];
                try
                {
                    var count = await content.ReadAtLeastAsync(padded[..length], length, throwOnEndOfStream: false, cancellationToken);
                    if (count < length)
                    {
                        throw new StorageException(StorageError.Truncated, $"Blob '{Key}': {Layout.OffsetOf(index) + count} bytes came, {Layout.LengthBytes} were announced.");
                    }
                }
                catch
                {
                    buffer.Dispose();
                    throw;
                }

                padded.Span[length..].Clear();
                _crcs[index] = Checksum.Crc32C(padded.Span[..length]);
                writes.Add(WriteChunkAsync(index, buffer, padded));
            }
        }
        finally
        {
            await Task.WhenAll(writes);
        }
    }

    /// <summary>Notes that an object holds a copy now.</summary>
    public async Task ReplicateAsync(string objectKey, string etag)
    {
        var record = Record with { ObjectKey = objectKey, ETag = etag, Durability = Durability.Replicated };
        if (!IsRemoved)
        {
            await _tier.Catalog.CommitAsync([new(BlobLayout.RecordKey(Record.Id), record.Write())]);
        }

        Record = record;
    }

    private async Task WriteChunkAsync(int index, AlignedBuffer buffer, Memory<byte> padded)
    {
        using (buffer)
        {
            await _file!.WriteAsync(padded, Layout.OffsetOf(index));
        }

        lock (_gate)
        {
            _states[index] = ChunkState.Landed;
            _landed++;
        }
    }

    /// <summary>Waits for what runs in the background.</summary>
    public async Task QuiesceAsync()
    {
        Task[] running;
        lock (_gate)
        {
            running = [.. _flights.Values.Select(flight => flight.Landed)];
        }

        await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_gate)
        {
            RecordIfDue(force: true);
        }

        await _recording.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    /// <summary>Compares every chunk with its checksum.</summary>
    /// <returns>Offsets of chunks that differ.</returns>
    public async Task<IReadOnlyList<long>> VerifyAsync(CancellationToken cancellationToken)
    {
        var damaged = new List<long>();
        for (var index = 0; index < _states.Length; index++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            lock (_gate)
            {
                if (_states[index] == ChunkState.Absent)
                {
                    continue;
                }
            }

            using var buffer = await _tier.Buffers.RentAsync(cancellationToken);
            try
            {
                await ReadWholeAsync(index, buffer.Memory);
            }
            catch (StorageException cause) when (cause.Error == StorageError.Corrupt)
            {
                damaged.Add(Layout.OffsetOf(index));
            }
        }

        return damaged;
    }

    public void Dispose() => _file?.Dispose();

    /// <summary>True for native memory that direct I/O can use as it is.</summary>
    private static unsafe bool IsAligned(Memory<byte> memory) =>
        !MemoryMarshal.TryGetArray<byte>(memory, out _)
        && memory.Length % AlignedMemory.AlignmentBytes == 0
        && (nuint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(memory.Span)) % AlignedMemory.AlignmentBytes == 0;

    private bool IsHere(int index) => _states[index] != ChunkState.Absent || (_flights.TryGetValue(index, out var flight) && flight.Arrived.IsCompletedSuccessfully);

    private async Task FetchAsync(ChunkFlight flight, int index, Memory<byte> destination, IObjectStorage? storage)
    {
        // Off the caller's stack: it has not yet stored this task.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        AlignedBuffer? buffer = null;
        try
        {
            if (storage is null)
            {
                throw new StorageException(StorageError.NotFound, $"Chunk {index} of blob '{Record.Key}' is not in the tier, and this lease has no object storage to fetch it from. Open the blob with its source.");
            }

            var length = Layout.LengthOf(index);
            if (!IsAligned(destination))
            {
                buffer = await _tier.Buffers.RentAsync();
                destination = buffer.Memory[..(int)AlignedMemory.RoundUp(length)];
                destination.Span[length..].Clear();
            }

            await storage.ReadAsync(Record.ObjectKey, Layout.OffsetOf(index), destination[..length], Record.ETag);
            var crc = Checksum.Crc32C(destination.Span[..length]);
            CheckSameAsBefore(index, crc);
            flight.Arrive(destination[..length]);
            _tier.Meter.Fetched(Class, length);
            await _file!.WriteAsync(destination, Layout.OffsetOf(index));
            Land(index, crc);
            flight.Leave();
            await flight.Left;
        }
        catch (Exception cause)
        {
            var failure = cause is OperationCanceledException ? cause : StorageException.From(cause, $"Chunk {index} of blob '{Record.Key}' (object '{Record.ObjectKey}')");
            lock (_gate)
            {
                _flights.Remove(index);
                RecordIfDue(force: false);
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

    /// <summary>A chunk that was dropped because it was damaged must come back as it was: same object, same ETag.</summary>
    private void CheckSameAsBefore(int index, uint crc)
    {
        if (Record.Crcs is { } recorded && recorded[index] != crc)
        {
            throw new StorageException(
                StorageError.Corrupt,
                $"Object '{Record.ObjectKey}' with ETag {Record.ETag}, bytes from {Layout.OffsetOf(index)}: checksum {crc:x8} now, {recorded[index]:x8} when the blob was sealed. The object is damaged or its ETag lies; publish it again.");
        }
    }

    private void Land(int index, uint crc)
    {
        lock (_gate)
        {
            _flights.Remove(index);
            _crcs[index] = crc;
            _states[index] = ChunkState.Landed;
            _landed++;
            if (Record.Crcs is not null)
            {
                // A damaged chunk of a sealed blob was replaced by the same bytes; its record stands.
                return;
            }

            _unrecorded.Add(index);
            RecordIfDue(force: false);
        }
    }

    /// <summary>Starts to record if it is worth a sync: enough has landed, or nothing more is on its way. Under the gate.</summary>
    private void RecordIfDue(bool force)
    {
        if (_unrecorded.Count > 0 && !_recordingRuns && (force || IsRecordingDue))
        {
            _recordingRuns = true;
            _recording = Task.Run(RecordAsync);
        }
    }

    private bool IsRecordingDue => _landed == _states.Length || _flights.Count == 0 || (long)_unrecorded.Count * Layout.ChunkBytes >= RecordBytes;

    /// <summary>Makes landed chunks durable and records them; the last time round it seals. One at a time per blob, so chunks that land meanwhile share the next sync.</summary>
    private async Task RecordAsync()
    {
        while (true)
        {
            int[] chunks;
            bool whole;
            lock (_gate)
            {
                if (_unrecorded.Count == 0 || !IsRecordingDue)
                {
                    _recordingRuns = false;
                    return;
                }

                chunks = [.. _unrecorded];
                _unrecorded.Clear();
                whole = _landed == _states.Length;
            }

            try
            {
                if (whole)
                {
                    await SealAsync();
                }
                else if (!IsRemoved)
                {
                    await _file!.SyncAsync();
                    await _tier.Catalog.CommitAsync([.. chunks.Select(index => new DurableWrite(BlobLayout.ChunkKey(Record.Id, index), CrcBytes(_crcs[index])))]);
                }
            }
            catch (Exception cause) when (cause is IOException or ObjectDisposedException)
            {
                NvmeLog.ProgressNotRecorded(_tier.Logger, Record.Key, cause.Message);
                if (whole)
                {
                    _sealed.TrySetException(StorageException.From(cause, $"Blob '{Record.Key}' cannot be sealed"));
                    _ = _sealed.Task.Exception;
                }
            }
        }
    }

    private async Task SealAsync(IReadOnlyList<DurableWrite>? alsoCommit = null)
    {
        _file!.SetLength(Layout.LengthBytes);
        await _file.SyncAsync();
        var record = Record with { Crcs = _crcs };
        if (!IsRemoved)
        {
            await _tier.Catalog.CommitAsync(
            [
                new(BlobLayout.RecordKey(Record.Id), record.Write()),
                .. _tier.Catalog.Keys(BlobLayout.ChunkPrefix(Record.Id)).Select(key => new DurableWrite(key, null)),
                .. alsoCommit ?? [],
            ]);
        }

        Record = record;
        _sealed.TrySetResult();
        NvmeLog.Sealed(_tier.Logger, Record.Key, Record.LengthBytes);
    }

    /// <summary>Seals a blob whose chunks were all recorded before a restart, but not the seal.</summary>
    public void SealIfWhole()
    {
        lock (_gate)
        {
            if (_landed == _states.Length && Record.Crcs is null && !_recordingRuns)
            {
                _recordingRuns = true;
                _recording = Task.Run(async () =>
                {
                    await SealAsync();
                    lock (_gate)
                    {
                        _recordingRuns = false;
                    }
                });
            }
        }
    }

    private async Task<long> ReadFromDeviceAsync(int index, int offsetInChunk, Memory<byte> target, CancellationToken cancellationToken)
    {
        var length = Layout.LengthOf(index);
        var whole = offsetInChunk == 0 && target.Length == length;
        if (whole && IsAligned(target))
        {
            return await ReadWholeAsync(index, target);
        }

        var verified = _states[index] == ChunkState.Verified;
        if (verified && !whole && offsetInChunk % AlignedMemory.AlignmentBytes == 0 && IsAligned(target))
        {
            return await ReadPartAsync(index, offsetInChunk, target, target.Length);
        }

        using var buffer = await _tier.Buffers.RentAsync(cancellationToken);
        long count;
        if (whole || !verified)
        {
            count = await ReadWholeAsync(index, buffer.Memory);
            buffer.Memory.Span.Slice(offsetInChunk, target.Length).CopyTo(target.Span);
            return count;
        }

        // A part of a chunk that was verified before: only the sectors around it.
        var first = offsetInChunk & ~(AlignedMemory.AlignmentBytes - 1);
        var window = buffer.Memory[..(int)AlignedMemory.RoundUp(offsetInChunk + target.Length - first)];
        count = await ReadPartAsync(index, first, window, offsetInChunk - first + target.Length);
        window.Span.Slice(offsetInChunk - first, target.Length).CopyTo(target.Span);
        return count;
    }

    /// <summary>Reads sectors of a chunk that was verified before.</summary>
    private async Task<long> ReadPartAsync(int index, int offsetInChunk, Memory<byte> target, int neededBytes)
    {
        try
        {
            var count = await _file!.ReadAsync(target, Layout.OffsetOf(index) + offsetInChunk);
            return count >= neededBytes ? count : throw Damaged(index, "the file is shorter than the blob");
        }
        catch (IOException cause) when (cause is not StorageException)
        {
            throw StorageException.From(cause, $"Blob '{Record.Key}' cannot be read from '{FilePath}', offset {Layout.OffsetOf(index) + offsetInChunk}");
        }
    }

    /// <summary>Reads a whole chunk to the beginning of aligned memory and checks it.</summary>
    private async Task<long> ReadWholeAsync(int index, Memory<byte> target)
    {
        var length = Layout.LengthOf(index);
        int count;
        try
        {
            count = await _file!.ReadAsync(target[..(int)AlignedMemory.RoundUp(length)], Layout.OffsetOf(index));
        }
        catch (IOException cause)
        {
            throw StorageException.From(cause, $"Blob '{Record.Key}' cannot be read from '{FilePath}', offset {Layout.OffsetOf(index)}");
        }

        if (count < length)
        {
            throw Damaged(index, $"the file ends after {count} of {length} bytes");
        }

        if (_tier.Options.Verification == VerificationPolicy.Always || _states[index] != ChunkState.Verified)
        {
            var crc = Checksum.Crc32C(target.Span[..length]);
            if (crc != _crcs[index])
            {
                _tier.Meter.Damaged(Class);
                NvmeLog.ChunkDamaged(_tier.Logger, Record.Key, Layout.OffsetOf(index), FilePath, crc, _crcs[index]);
                throw Damaged(index, $"checksum {crc:x8}, recorded {_crcs[index]:x8}");
            }

            _states[index] = ChunkState.Verified;
        }

        return count;
    }

    private StorageException Damaged(int index, string found) =>
        new(StorageError.Corrupt, $"'{FilePath}', offset {Layout.OffsetOf(index)}: chunk {index} of blob '{Record.Key}' is damaged: {found}. It can be fetched again from object '{Record.ObjectKey}'.");

    private void DropChunk(int index)
    {
        lock (_gate)
        {
            if (_states[index] != ChunkState.Absent)
            {
                _states[index] = ChunkState.Absent;
                _landed--;
            }
        }
    }

    private static byte[] CrcBytes(uint crc)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, crc);
        return bytes;
    }
}
