using System.Buffers.Binary;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.Nvme.Log;

/// <summary>How an entry of a <see cref="DurableLog"/> lies in FasterLog: one record, or several when it does not fit a page.</summary>
/// <remarks><code>
/// record: 0 CRC32C of the rest (4)   4 address at which the record before it ended (8)   12 address up to which the log was durable by then (8)
///         20 life of the log that wrote it (4)   24 kind (1)   25 bytes of the entry
/// kind:   1 first piece, 2 last piece, 3 both (a whole entry), 0 a piece in the middle
/// </code>
/// FasterLog skips what looks like padding, so a lost sector could swallow entries in silence; the chain of end addresses shows every gap.
/// The durable address and the life let <see cref="LogRollForward"/> tell the end of a log from damage in it, and from what an earlier life left behind the end.
/// </remarks>
internal static class LogPiece
{
    public const int HeaderBytes = 25;
    public const byte First = 1;
    public const byte Last = 2;

    /// <summary>Writes a record into <paramref name="target"/>, which is exactly as long as it.</summary>
    public static void Write(Span<byte> target, long previousEnd, long durable, int life, byte kind, ReadOnlySpan<byte> bytes)
    {
        BinaryPrimitives.WriteInt64LittleEndian(target[4..], previousEnd);
        BinaryPrimitives.WriteInt64LittleEndian(target[12..], durable);
        BinaryPrimitives.WriteInt32LittleEndian(target[20..], life);
        target[24] = kind;
        bytes.CopyTo(target[HeaderBytes..]);
        BinaryPrimitives.WriteUInt32LittleEndian(target, Checksum.Crc32C(target[4..]));
    }

    /// <summary>True if the record is intact.</summary>
    public static bool IsIntact(ReadOnlySpan<byte> record) =>
        record.Length >= HeaderBytes && BinaryPrimitives.ReadUInt32LittleEndian(record) == Checksum.Crc32C(record[4..]);

    public static long PreviousEnd(ReadOnlySpan<byte> record) => BinaryPrimitives.ReadInt64LittleEndian(record[4..]);

    public static long Durable(ReadOnlySpan<byte> record) => BinaryPrimitives.ReadInt64LittleEndian(record[12..]);

    public static int Life(ReadOnlySpan<byte> record) => BinaryPrimitives.ReadInt32LittleEndian(record[20..]);

    public static byte Kind(ReadOnlySpan<byte> record) => record[24];
}
