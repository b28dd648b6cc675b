using FASTER.core;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.Nvme.Blocks;

/// <summary>One life of a block store's log: a FasterKV with its device and checkpoints, opened from what is durable, and how its space is given out and back.</summary>
/// <remarks>
/// <para>Space comes back from the front: when the log nears its limit its oldest segment goes, and the blocks in it with it, overwritten and deleted ones or not.</para>
/// <para>FASTER never hears that a write failed, since it would wait for that page without end (decisions/0005). <see cref="DirectDevice.Failure"/> is asked wherever something is reported
/// as durable; after a failure this life makes nothing durable any more.</para>
/// </remarks>
internal sealed class BlockLog : IDisposable
{
    private readonly BlockStoreOptions _options;
    private readonly long _segmentBytes;
    private readonly long _logBytes;
    private readonly BlockSessions _sessions;
    private readonly BlockCommits _commits;
    private readonly Lock _gate = new();
    private long _reservedBytes;
    private long _firstSegment;

    private BlockLog(BlockStoreOptions options, BlockCheckpoints.State? state)
    {
        _options = options;
        _segmentBytes = state?.SegmentBytes ?? options.SegmentBytes;
        _logBytes = options.LimitBytes - (2 * _segmentBytes);
        _firstSegment = (state?.Begin ?? 0) / _segmentBytes;
        Device = new DirectDevice(new DirectDeviceOptions
        {
            Folder = options.Folder,
            Prefix = BlockStore.Prefix,
            FirstSegment = _firstSegment,
            Area = FaultArea.Blocks,
            Preallocates = true,
            KeepsFailures = true,
            IsBuffered = options.IsBuffered,
            OnBuffered = options.OnBuffered,
            Figures = options.Figures,
            FaultPoint = options.FaultPoint,
        });
        Checkpoints = new BlockCheckpoints(options.Folder, Device, state);
        Store = new FasterKV<SpanByte, SpanByte>(new FasterKVSettings<SpanByte, SpanByte>
        {
            LogDevice = Device,
            CheckpointManager = Checkpoints,
            IndexSize = options.IndexBytes,
            PageSize = BlockStoreOptions.PageBytes,
            MemorySize = options.MemoryBytes,
            SegmentSize = _segmentBytes,
            MutableFraction = 0.5,
            ReadCacheEnabled = false,
            ConcurrencyControlMode = ConcurrencyControlMode.None,
            RemoveOutdatedCheckpoints = false,
            TryRecoverLatest = false,
        });
        _sessions = new BlockSessions(Store);
        _commits = new BlockCommits(this);
    }

    public DirectDevice Device { get; }

    private FasterKV<SpanByte, SpanByte> Store { get; }

    private BlockCheckpoints Checkpoints { get; }

    /// <summary>Opens the log of a folder as of its last checkpoint. One that is damaged, or too large for its limit by now, is dropped: its blocks can be computed again.</summary>
    public static BlockLog Open(BlockStoreOptions options)
    {
        Directory.CreateDirectory(options.Folder);
        var state = BlockCheckpoints.Read(options.Folder);
        if (FaultOf(options, state) is { } fault)
        {
            if (options.Logger is { } logger)
            {
                NvmeLog.BlocksDropped(logger, options.Folder, fault);
            }

            Directory.Delete(options.Folder, recursive: true);
            Directory.CreateDirectory(options.Folder);
            state = null;
        }

        SegmentFiles.RemoveOrphans(options.Folder, state is null ? 0 : state.Begin / state.SegmentBytes, state is null ? -1 : (state.End - 1) / state.SegmentBytes, BlockStore.Prefix);
        var log = new BlockLog(options, state);
        try
        {
            if (state is not null)
            {
                log.Store.Recover(default, state.Token);
                if ((log.Device.Failure ?? log.Device.ReadFailure) is { } failure)
                {
                    throw new IOException(failure.Message, failure) { HResult = failure.HResult };
                }
            }

            return log;
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    /// <summary>Gets a record; one without bytes if there is none.</summary>
    /// <exception cref="IOException">The device failed while it was looked for.</exception>
    public async ValueTask<BlockRecord> ReadAsync(byte[] name)
    {
        var failures = Device.ReadFailures;
        var record = await _sessions.ReadAsync(name);

        // FASTER sees zeros where a read failed, and finds nothing there.
        return record.Bytes is null && Device.ReadFailures != failures ? throw new IOException(Device.ReadFailure!.Message, Device.ReadFailure) { HResult = Device.ReadFailure.HResult } : record;
    }

    /// <summary>Writes a record, in memory.</summary>
    /// <param name="recordBytes">What it takes of the log.</param>
    /// <param name="name">Its key.</param>
    /// <param name="record">Null to delete it.</param>
    /// <returns>False if the next checkpoint must give space back first.</returns>
    public bool TryWrite(int recordBytes, byte[] name, byte[]? record)
    {
        // A record that does not fit its page leaves the rest of it empty, which is less than the record.
        var bytes = 2L * recordBytes;
        lock (_gate)
        {
            if (Store.Log.TailAddress + _reservedBytes + bytes + BlockStoreOptions.PageBytes > (_firstSegment * _segmentBytes) + _logBytes)
            {
                return false;
            }

            _reservedBytes += bytes;
        }

        try
        {
            _sessions.Write(name, record);
        }
        finally
        {
            lock (_gate)
            {
                _reservedBytes -= bytes;
            }
        }

        return true;
    }

    /// <summary>Completes when all that was written before the call is durable.</summary>
    public Task WhenDurable() => _commits.WhenDurable();

    /// <summary>Waits for the checkpoint under way, and closes the files. Nobody else works on the log any more.</summary>
    public async Task EndAsync()
    {
        await _commits.EndAsync();
        Dispose();
    }

    /// <summary>Gives up the oldest segments, if the log nears its limit. Takes effect with the next checkpoint.</summary>
    public void ShiftBegin()
    {
        var begin = Store.Log.BeginAddress;
        var most = _logBytes - _segmentBytes - BlockStoreOptions.PageBytes;
        if (Store.Log.TailAddress - (begin / _segmentBytes * _segmentBytes) > most)
        {
            var until = (Store.Log.TailAddress - most + _segmentBytes - 1) / _segmentBytes * _segmentBytes;
            Store.Log.ShiftBeginAddress(Math.Min(until, Store.Log.TailAddress));
        }
    }

    /// <summary>Makes everything in the log durable.</summary>
    /// <exception cref="Exception">It is not, and this life takes nothing more.</exception>
    public async Task CheckpointAsync()
    {
        var isTaken = Device.Failure is null && (await Store.TakeHybridLogCheckpointAsync(CheckpointType.FoldOver)).success;
        if (Device.Failure is { } failure)
        {
            throw failure;
        }

        if (!isTaken)
        {
            throw new StorageException(StorageError.Io, $"The block store in '{_options.Folder}' could not take a checkpoint.");
        }

        var first = Checkpoints.Committed!.Begin / _segmentBytes;
        Device.RemoveBefore(first);
        lock (_gate)
        {
            _firstSegment = first;
        }
    }

    /// <summary>File and offset of a record.</summary>
    public (string Path, long Offset) PlaceOf(long address) => (SegmentFiles.PathOf(_options.Folder, address / _segmentBytes, BlockStore.Prefix), address % _segmentBytes);

    public void Dispose()
    {
        _sessions.Dispose();
        Store.Dispose();
        Checkpoints.Dispose();
        Device.Dispose();
    }

    private static string? FaultOf(BlockStoreOptions options, BlockCheckpoints.State? state)
    {
        if (state is null)
        {
            return Directory.EnumerateFiles(options.Folder, BlockStore.Prefix + ".*").Any() && new FileInfo(Path.Combine(options.Folder, "commit")) is { Exists: true } commit && !IsEmpty(commit)
                ? $"'{commit.FullName}' has no valid record (offsets 0 and 65536)"
                : null;
        }

        return options.LimitBytes < 6 * state.SegmentBytes || state.End - (state.Begin / state.SegmentBytes * state.SegmentBytes) > options.LimitBytes - (2 * state.SegmentBytes)
            ? $"its {state.End - state.Begin} bytes in segments of {state.SegmentBytes} do not fit the limit, which is {options.LimitBytes} now"
            : BlockScan.FindFault(options.Folder, state);
    }

    /// <summary>A crash before the first checkpoint leaves a record file of zeros, and segments that nothing in them was acknowledged of.</summary>
    private static bool IsEmpty(FileInfo file) => !File.ReadAllBytes(file.FullName).AsSpan().ContainsAnyExcept((byte)0);
}
