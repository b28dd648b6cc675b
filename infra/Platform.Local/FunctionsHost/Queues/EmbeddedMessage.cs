using System.Buffers.Binary;
using System.Text;

namespace Platform.Local.FunctionsHost.Queues;

/// <summary>A message as the embedded queue stores it.</summary>
/// <remarks><code>
/// offset  0   16 bytes   id, a guid
/// offset 16    8 bytes   inserted, UTC ticks, little-endian
/// offset 24    8 bytes   expires, UTC ticks, little-endian
/// offset 32    rest      text, UTF-8
/// </code></remarks>
internal readonly record struct EmbeddedMessage(Guid Id, DateTimeOffset Inserted, DateTimeOffset Expires, string Text)
{
    private const int TextOffset = 32;

    public byte[] ToBytes()
    {
        var bytes = new byte[TextOffset + Encoding.UTF8.GetByteCount(Text)];
        Id.TryWriteBytes(bytes);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(16), Inserted.UtcTicks);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(24), Expires.UtcTicks);
        Encoding.UTF8.GetBytes(Text, bytes.AsSpan(TextOffset));
        return bytes;
    }

    public static EmbeddedMessage Parse(ReadOnlySpan<byte> bytes) => new(
        new Guid(bytes[..16]),
        new DateTimeOffset(BinaryPrimitives.ReadInt64LittleEndian(bytes[16..]), TimeSpan.Zero),
        new DateTimeOffset(BinaryPrimitives.ReadInt64LittleEndian(bytes[24..]), TimeSpan.Zero),
        Encoding.UTF8.GetString(bytes[TextOffset..]));
}
