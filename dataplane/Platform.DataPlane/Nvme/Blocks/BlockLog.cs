using FASTER.core;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.Nvme.Blocks;

/// <summary>The log of a block store: a FasterKV with its device and checkpoints, opened from what is durable, and how its space is given out and back.</summary>
/// <remarks>Space comes back from the front: when the log nears its limit its oldest segment goes, and the blocks in it with it, overwritten and deleted ones or not.</remarks>
internal sealed class BlockLog : IDisposable
{
    private readonly BlockStoreOptions _options;
    private readonly long _segmentBytes;
    private readonly long _logBytes;
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
            Logger = options.Logger,
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
    }

    public FasterKV<SpanByte, SpanByte> Store { get; }

    public DirectDevice Device { get; }

    public BlockCheckpoints Checkpoints { get; }

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
            }

            return log;
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    /// <summary>Takes room for a record.</summary>
    /// <returns>False if the next checkpoint must give space back first.</returns>
    public bool TryReserve(int recordBytes)
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
            return true;
        }
    }

    /// <summary>Ends a reservation: the record is in the log, or will not be.</summary>
    public void EndReservation(int recordBytes)
    {
        lock (_gate)
        {
            _reservedBytes -= 2L * recordBytes;
        }
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
    /// <exception cref="Exception">It is not, and this log takes nothing more.</exception>
    public async Task CheckpointAsync()
    {
        var checkpoint = Store.TakeHybridLogCheckpointAsync(CheckpointType.FoldOver).AsTask();
        await Task.WhenAny(checkpoint, Device.Failed);
        if (Device.Failure is { } failure)
        {
            throw failure;
        }

        if (!(await checkpoint).success)
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
