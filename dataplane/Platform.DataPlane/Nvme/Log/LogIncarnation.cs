using System.Buffers;
using FASTER.core;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.Nvme.Log;

/// <summary>One life of a log: a FasterLog recovered from its committed addresses, with its device and commit record. After a failed commit it is dead, and the next life starts from what is durable.</summary>
internal sealed class LogIncarnation : IDisposable
{
    private readonly DirectDevice _device;
    private readonly FasterLog _log;
    private readonly CommitRecord _record;
    private readonly int _pieceBytes;
    private readonly int _life;

    private LogIncarnation(string folder, DirectDevice device, CommitRecord record, FasterLog log, CommitRecord.State state)
    {
        Folder = folder;
        _device = device;
        _record = record;
        _log = log;
        SegmentBytes = state.SegmentBytes;
        _life = state.Life;

        // FasterLog adds 4 bytes of length and 8 of checksum, and rounds up to 4.
        _pieceBytes = state.PageBytes - 64 - LogPiece.HeaderBytes;
    }

    public string Folder { get; }

    public int SegmentBytes { get; }

    /// <summary>Entries before this are gone.</summary>
    public long BeginAddress => _log.BeginAddress;

    /// <summary>Where the next entry will go.</summary>
    public long TailAddress => _log.TailAddress;

    /// <summary>Durable up to here.</summary>
    public long DurableAddress => _record.Until;

    /// <summary>What killed it; null while it lives.</summary>
    public Exception? Fault => _device.Failure;

    /// <summary>The last failure to read, and how many there were.</summary>
    public (Exception? Last, long Count) ReadFailures => (_device.ReadFailure, _device.ReadFailures);

    /// <summary>The last commit that succeeded.</summary>
    public CommitRecord.State Committed => _record.Committed;

    /// <summary>Opens the log of a folder as of its last commit, or makes a new one.</summary>
    /// <param name="options">Where, and how large.</param>
    /// <param name="figures">Where its device counts.</param>
    /// <param name="onCommitted">Hears each address up to which the log has become durable, on the thread that made it so.</param>
    /// <param name="acknowledged">The last commit of the life before in this process. A later one on disk was reported as failed, so it is written over.</param>
    public static LogIncarnation Open(DurableLogOptions options, DeviceFigures figures, Action<long> onCommitted, CommitRecord.State? acknowledged = null)
    {
        var found = CommitRecord.Read(options.Folder);
        var state = found ?? new CommitRecord.State(0, LogRollForward.FirstAddress, 0, RoundDown(options.PageBytes), RoundDown(options.SegmentBytes), 0);
        if (found is not null)
        {
            CheckSegments(options.Folder, found);
            state = (acknowledged ?? LogRollForward.FindEnd(options.Folder, found)) with { Number = found.Number };
            SegmentFiles.RemoveOrphans(options.Folder, state.Begin / state.SegmentBytes, (state.Until - 1) / state.SegmentBytes);
            if (state.Until > found.Until)
            {
                // What was found may not have been acknowledged, and not be durable yet.
                SegmentFiles.Sync(options.Folder, found.Until / state.SegmentBytes, (state.Until - 1) / state.SegmentBytes);
            }
        }

        state = state with { Number = state.Number + 1, Life = state.Life + 1 };
        var device = new DirectDevice(new DirectDeviceOptions
        {
            Folder = options.Folder,
            FirstSegment = state.Begin / state.SegmentBytes,
            ZeroesAhead = true,
            WaitsOnThreads = true,
            FaultPoint = options.FaultPoint,
            OnBuffered = options.OnBuffered,
            IsBuffered = options.IsBuffered,
            Figures = figures,
        });
        CommitRecord? record = null;
        try
        {
            record = CommitRecord.Open(options.Folder, device, state, onCommitted);
            var log = new FasterLog(new FasterLogSettings
            {
                LogDevice = device,
                LogCommitManager = record,
                PageSize = state.PageBytes,
                MemorySize = (long)state.PageBytes * RoundDown(options.MemoryPages),
                SegmentSize = state.SegmentBytes,
                LogChecksum = LogChecksumType.PerEntry,
                TryRecoverLatest = false,
            });
            if (state.Until > 0)
            {
                // Not in the constructor, which would swallow a failure and start empty.
                log.Recover();
            }

            return new LogIncarnation(options.Folder, device, record, log, state);
        }
        catch (Exception cause) when (cause is not StorageException)
        {
            record?.Dispose();
            device.Dispose();
            throw StorageException.From(cause, $"The log in '{options.Folder}' cannot be opened");
        }
    }

    /// <summary>Puts an entry at the tail, in memory. One caller at a time.</summary>
    /// <returns>Address of the entry, that of its first piece.</returns>
    public long Enqueue(ReadOnlySpan<byte> entry)
    {
        long address = -1;
        var kind = LogPiece.First;
        do
        {
            var bytes = entry[..Math.Min(entry.Length, _pieceBytes)];
            entry = entry[bytes.Length..];
            if (entry.IsEmpty)
            {
                kind |= LogPiece.Last;
            }

            var length = LogPiece.HeaderBytes + bytes.Length;
            var buffer = ArrayPool<byte>.Shared.Rent(length);
            LogPiece.Write(buffer.AsSpan(0, length), _log.TailAddress, DurableAddress, _life, kind, bytes);
            var at = _log.Enqueue(buffer.AsSpan(0, length));
            ArrayPool<byte>.Shared.Return(buffer);
            address = address < 0 ? at : address;
            kind = 0;
        }
        while (!entry.IsEmpty);

        return address;
    }

    /// <summary>Makes everything enqueued so far durable, and a truncation with it.</summary>
    /// <exception cref="Exception">It is not durable, and this incarnation is dead.</exception>
    public async ValueTask CommitAsync(long untilAddress)
    {
        await _log.CommitAsync();
        if (_device.Failure is { } fault)
        {
            throw fault;
        }

        if (_record.Until < untilAddress)
        {
            throw new StorageException(StorageError.Io, $"The log in '{Folder}' reported a commit up to {_record.Until}, but {untilAddress} was asked for.");
        }

        _device.RemoveBefore(_log.CommittedBeginAddress / SegmentBytes);
    }

    /// <summary>Marks it as dead.</summary>
    public void Kill(Exception cause) => _device.Fail(cause);

    /// <summary>Gives up entries before <paramref name="address"/>; takes effect with the next commit.</summary>
    public void TruncateUntil(long address) => _log.TruncateUntil(address);

    /// <summary>Reads entries between two addresses.</summary>
    public LogReader Read(long from, long until) => new(this, _log, from, until);

    public void Dispose()
    {
        _log.Dispose();
        _record.Dispose();
        _device.Dispose();
    }

    private static int RoundDown(int value) => 1 << (31 - int.LeadingZeroCount(value));

    /// <summary>FasterLog would read a missing file as zeros; say what is missing instead.</summary>
    private static void CheckSegments(string folder, CommitRecord.State state)
    {
        var first = state.Begin / state.SegmentBytes;
        var last = (state.Until - 1) / state.SegmentBytes;
        for (var segment = first; segment <= last && state.Begin < state.Until; segment++)
        {
            var file = new FileInfo(SegmentFiles.PathOf(folder, segment));
            var needed = segment == last ? state.Until - (segment * state.SegmentBytes) : 0;
            if (!file.Exists || file.Length < needed)
            {
                throw new StorageException(
                    StorageError.Corrupt,
                    $"'{file.FullName}' has {(file.Exists ? file.Length : 0)} bytes; the commit record beside it says at least {needed}. Restore the file, or move the folder away to start empty.");
            }
        }
    }
}
