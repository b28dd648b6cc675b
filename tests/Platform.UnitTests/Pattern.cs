namespace Platform.UnitTests;

/// <summary>Bytes that tests can make again: the same for the same length and seed, and without a period that a misplaced read could hide in.</summary>
internal static class Pattern
{
    public static byte[] Bytes(int length, int seed = 0)
    {
        var bytes = new byte[length];
        new Random((length * 31) ^ seed).NextBytes(bytes);
        return bytes;
    }
}
