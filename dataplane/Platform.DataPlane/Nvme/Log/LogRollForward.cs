using System.Buffers.Binary;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.Nvme.Log;

/// <summary>Finds entries behind the commit that the record names, when the record's newer slot is damaged.</summary>
/// <remarks>
/// Entries are durable before the slot that commits them, and each record carries its checksum and the end of the one before it. So everything that was acknowledged
/// lies in an unbroken chain behind the older commit. It may end with entries that were not acknowledged, which does no harm.
/// </remarks>
internal static class LogRollForward
{
    // FasterLog: its first address, and per record 8 bytes of checksum and 4 of length, rounded up to 4.
    private const int FirstAddress = 64;
    private const int HeaderBytes = 12;

    /// <summary>Where the chain ends.</summary>
    public static long FindEnd(string folder, CommitRecord.State state)
    {
        var end = Math.Max(FirstAddress, state.Until);
        while (true)
        {
            var at = end;
            var record = TryRead(folder, state, at);
            if (record is null)
            {
                // What did not fit the page went to the next.
                at = ((at / state.PageBytes) + 1) * state.PageBytes;
                record = TryRead(folder, state, at);
            }

            if (record is null || LogPiece.PreviousEnd(record) != end)
            {
                return end;
            }

            end = at + HeaderBytes + RoundUp(record.Length);
        }
    }

    private static byte[]? TryRead(string folder, CommitRecord.State state, long at)
    {
        var inPage = at % state.PageBytes;
        var path = SegmentFiles.PathOf(folder, at / state.SegmentBytes);
        if (inPage + HeaderBytes > state.PageBytes || !File.Exists(path))
        {
            return null;
        }

        using var file = File.OpenHandle(path);
        Span<byte> header = stackalloc byte[HeaderBytes];
        if (RandomAccess.Read(file, header, at % state.SegmentBytes) < HeaderBytes)
        {
            return null;
        }

        var length = BinaryPrimitives.ReadInt32LittleEndian(header[8..]);
        if (length < LogPiece.HeaderBytes || inPage + HeaderBytes + RoundUp(length) > state.PageBytes)
        {
            return null;
        }

        var record = new byte[length];
        return RandomAccess.Read(file, record, (at % state.SegmentBytes) + HeaderBytes) == length && LogPiece.IsIntact(record) ? record : null;
    }

    private static int RoundUp(int length) => (length + 3) & ~3;
}
