namespace Platform.Local.FunctionsHost.Invocations;

/// <summary>Ids of invocations: unique, no secrets, and made without the call of the kernel that <see cref="Guid.NewGuid"/> costs.</summary>
internal static class InvocationIds
{
    /// <summary>A random UUID (RFC 9562, version 4) as lower-case text with hyphens.</summary>
    public static string Next()
    {
        Span<byte> bytes = stackalloc byte[16];
        Random.Shared.NextBytes(bytes);
        bytes[6] = (byte)((bytes[6] & 0x0F) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true).ToString();
    }
}
