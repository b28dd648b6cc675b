using System.Buffers.Binary;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.Nvme.Log;

/// <summary>Finds where a log ends: the commit record names an address that may lie before it.</summary>
/// <remarks>
/// <para>A commit makes its entries durable and does not write the commit record (see <see cref="CommitRecord"/>). So the end is found as journals find it: from the recorded address on, records are followed as
/// long as each is intact and says that it follows the one before. Everything acknowledged lies in that chain. It may end with entries that were not acknowledged, which does no harm.</para>
/// <para>Lives never go back along the chain: a record of an earlier life behind the end is what that life wrote and did not acknowledge, and the end of the one before it is where it is by chance.</para>
/// <para>Where the chain breaks, the log either ends or is damaged. Each record says up to where the log was durable when it was written; a record behind the break that vouches for addresses behind it shows
/// damage. Then the end is where that record says at least, and whoever reads the log meets the damage and names it. Of the last group commit before a crash nobody can vouch.</para>
/// </remarks>
internal sealed class LogRollForward
{
    /// <summary>The first address of a FasterLog.</summary>
    public const int FirstAddress = 64;

    // FasterLog puts 8 bytes of checksum and 4 of length before a record, and rounds up to 4.
    private const int HeaderBytes = 12;

    private readonly string _folder;
    private readonly CommitRecord.State _state;
    private readonly byte[] _page;
    private long _pageAddress = -1;
    private int _pageLength;
    private int _life;

    private LogRollForward(string folder, CommitRecord.State state)
    {
        _folder = folder;
        _state = state;
        _page = new byte[state.PageBytes];
        _life = state.Life;
    }

    /// <summary>The recorded state, with the address where the log really ends and the last life that wrote to it.</summary>
    public static CommitRecord.State FindEnd(string folder, CommitRecord.State state)
    {
        var forward = new LogRollForward(folder, state);
        var end = forward.Follow(Math.Max(FirstAddress, state.Until));
        while (forward.VouchedBehind(end) is var vouched && vouched > end)
        {
            end = forward.Follow(vouched);
        }

        return end == FirstAddress ? state : state with { Until = end, Life = forward._life };
    }

    /// <summary>Follows the chain.</summary>
    private long Follow(long from)
    {
        var end = from;
        while (true)
        {
            var at = end;
            if (!TryRead(at, out var record))
            {
                // What did not fit the page went to the next.
                at = NextPage(at);
                if (!TryRead(at, out record))
                {
                    return end;
                }
            }

            if (LogPiece.PreviousEnd(record) != end || LogPiece.Life(record) < _life)
            {
                return end;
            }

            _life = LogPiece.Life(record);
            end = at + HeaderBytes + RoundUp(record.Length);
        }
    }

    /// <summary>The highest address that a record behind <paramref name="end"/> vouches for; 0 if there is none.</summary>
    private long VouchedBehind(long end)
    {
        long vouched = 0;
        for (var at = (end + 3) & ~3L; LoadPage(at); at = NextPage(at))
        {
            for (var offset = (int)(at % _state.PageBytes); offset + HeaderBytes + LogPiece.HeaderBytes <= _pageLength; offset += 4)
            {
                // What an entry holds may look like a record, but not like one that was written to this very place.
                var place = _pageAddress + offset;
                if (TryReadLoaded(offset, out var record) && LogPiece.PreviousEnd(record) is var previous && (previous == place || (offset == 0 && previous < place)) && LogPiece.Durable(record) <= place)
                {
                    vouched = Math.Max(vouched, LogPiece.Durable(record));
                }
            }
        }

        return vouched;
    }

    private long NextPage(long address) => ((address / _state.PageBytes) + 1) * _state.PageBytes;

    private bool TryRead(long at, out ReadOnlySpan<byte> record)
    {
        record = default;
        return LoadPage(at) && TryReadLoaded((int)(at % _state.PageBytes), out record);
    }

    private bool TryReadLoaded(int offset, out ReadOnlySpan<byte> record)
    {
        record = default;
        if (offset + HeaderBytes + LogPiece.HeaderBytes > _pageLength)
        {
            return false;
        }

        var length = BinaryPrimitives.ReadInt32LittleEndian(_page.AsSpan(offset + 8));
        if (length < LogPiece.HeaderBytes || length > _pageLength - offset - HeaderBytes)
        {
            return false;
        }

        record = _page.AsSpan(offset + HeaderBytes, length);
        return LogPiece.IsIntact(record);
    }

    /// <summary>Has the page of an address in memory; false if there is nothing of it.</summary>
    private bool LoadPage(long address)
    {
        var start = address - (address % _state.PageBytes);
        if (start == _pageAddress)
        {
            return _pageLength > 0;
        }

        var path = SegmentFiles.PathOf(_folder, start / _state.SegmentBytes);
        _pageAddress = start;
        _pageLength = 0;
        if (File.Exists(path))
        {
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            _pageLength = RandomAccess.Read(file, _page, start % _state.SegmentBytes);
        }

        return _pageLength > 0;
    }

    private static int RoundUp(int length) => (length + 3) & ~3;
}
