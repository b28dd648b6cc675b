using System.Buffers.Binary;

namespace Platform.Local.Sidecar.State;

/// <summary>A stored value with its version and its end.</summary>
/// <remarks><code>
/// offset 0  8  version, counts the writes of this key since it was absent; the ETag
/// offset 8  8  UTC ticks when it expires, 0 for never
/// offset 16    the value
/// </code></remarks>
internal readonly record struct StateRecord(long Version, DateTimeOffset? ExpiresAt, ReadOnlyMemory<byte> Value)
{
    private const int HeaderBytes = 16;

    public string ETag => Version.ToString();

    public bool IsExpired(DateTimeOffset now) => ExpiresAt <= now;

    public byte[] ToBytes()
    {
        var bytes = new byte[HeaderBytes + Value.Length];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, Version);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(8), ExpiresAt?.UtcTicks ?? 0);
        Value.Span.CopyTo(bytes.AsSpan(HeaderBytes));
        return bytes;
    }

    public static StateRecord Of(byte[] bytes)
    {
        var ticks = BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(8));
        return new StateRecord(
            BinaryPrimitives.ReadInt64LittleEndian(bytes),
            ticks == 0 ? null : new DateTimeOffset(ticks, TimeSpan.Zero),
            bytes.AsMemory(HeaderBytes));
    }
}
