using FASTER.core;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.Nvme.Log;

/// <summary>Reads the entries of a log in order, checking each record's checksum and that none is missing between two.</summary>
/// <remarks>Not thread-safe. Holds one page of memory until disposed.</remarks>
internal sealed class LogReader : IDisposable
{
    private readonly LogIncarnation _log;
    private readonly FasterLog _faster;
    private readonly FasterLogScanIterator _records;
    private readonly MemoryStream _pieces = new();
    private readonly long _readFailures;
    private long _until;
    private long _expected;
    private long _entryAddress = -1;
    private bool _first = true;

    public LogReader(LogIncarnation log, FasterLog faster, long from, long until)
    {
        _log = log;
        _faster = faster;
        _readFailures = log.ReadFailures.Count;
        _expected = Math.Max(from, faster.BeginAddress);
        _until = until;
        _records = faster.Scan(_expected, long.MaxValue, scanBufferingMode: ScanBufferingMode.SinglePageBuffering, recover: false);
    }

    /// <summary>Reads on up to this address, which is a durable one.</summary>
    public void ExtendTo(long until) => _until = Math.Max(_until, until);

    /// <summary>Reads the next entry.</summary>
    /// <returns>False at the end.</returns>
    /// <exception cref="StorageException"><see cref="StorageError.Corrupt"/>, or a failure of the device, with file and offset.</exception>
    public bool TryRead(out long address, out byte[] entry)
    {
        while (_expected < _until)
        {
            if (!NextRecord(out var at, out var record))
            {
                break;
            }

            var kind = LogPiece.Kind(record);
            if ((kind & LogPiece.First) != 0)
            {
                // Pieces without a last one are the remains of an entry that was never acknowledged: the process died while it was being written.
                _entryAddress = at;
                _pieces.SetLength(0);
            }

            if (kind == (LogPiece.First | LogPiece.Last))
            {
                address = at;
                entry = record[LogPiece.HeaderBytes..];
                return true;
            }

            _pieces.Write(record, LogPiece.HeaderBytes, record.Length - LogPiece.HeaderBytes);
            if ((kind & LogPiece.Last) != 0 && _entryAddress >= 0)
            {
                address = _entryAddress;
                entry = _pieces.ToArray();
                _entryAddress = -1;
                return true;
            }
        }

        address = -1;
        entry = [];
        return false;
    }

    public void Dispose()
    {
        _records.Dispose();
        _pieces.Dispose();
    }

    private bool NextRecord(out long at, out byte[] record)
    {
        long next;
        AwaitFaster();
        try
        {
            if (!_records.GetNext(out record, out var length, out at, out next))
            {
                if (_expected < _until && !AtPageEnd())
                {
                    throw Unreadable("the log ends here");
                }

                return false;
            }

            // FasterLog may hand out a longer array than the record.
            record = record.Length == length ? record : record[..length];
        }
        catch (Exception cause) when (cause is not StorageException)
        {
            if (_expected < _log.BeginAddress)
            {
                throw new StorageException(StorageError.NotFound, $"The log in '{_log.Folder}' was truncated up to address {_log.BeginAddress} while a reader was at {_expected}. Read from the new begin.", cause);
            }

            throw Unreadable(cause.Message, cause);
        }

        if (!LogPiece.IsIntact(record))
        {
            throw Unreadable("its checksum does not match");
        }

        var previousEnd = LogPiece.PreviousEnd(record);
        var truncatedMeanwhile = _expected < _log.BeginAddress;
        if (!truncatedMeanwhile && (_first ? at != _expected && previousEnd > _expected : previousEnd != _expected))
        {
            throw Unreadable($"the next readable one is at address {at} and follows address {previousEnd}");
        }

        _first = false;
        _expected = next;
        return true;
    }

    /// <summary>Waits until FASTER shows what is durable: who appended is told by the thread that made it so, an instant before FASTER raises the address up to which it lets readers.</summary>
    /// <remarks>Behind a commit that has succeeded nothing holds FASTER up, so the wait is a few instructions of another thread; a log whose device failed meanwhile is not waited for.</remarks>
    private void AwaitFaster()
    {
        if (_faster.CommittedUntilAddress < _until)
        {
            SpinWait.SpinUntil(() => _faster.CommittedUntilAddress >= _until || _log.Fault is not null);
        }
    }

    /// <summary>The rest of a page that is too short for the record that came next is skipped.</summary>
    private bool AtPageEnd() => _until - _expected < _log.SegmentBytes && _until % 4096 == 0;

    /// <summary>What is wrong here: the device, if it failed to read since the reading began, for what it gave then says nothing; else the record.</summary>
    private StorageException Unreadable(string found, Exception? cause = null)
    {
        var place = $"'{SegmentFiles.PathOf(_log.Folder, _expected / _log.SegmentBytes)}', offset {_expected % _log.SegmentBytes}";
        return _log.ReadFailures is ({ } failure, var count) && count != _readFailures
            ? StorageException.From(failure, $"{place}: the device cannot read the record")
            : new StorageException(StorageError.Corrupt, $"{place}: the record is damaged: {found}. Restore the file; entries before it are intact.", cause);
    }
}
