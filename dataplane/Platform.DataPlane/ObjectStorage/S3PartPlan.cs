namespace Platform.DataPlane.ObjectStorage;

/// <summary>How large the parts of a multipart upload are.</summary>
/// <remarks>
/// S3 takes 10,000 parts of 5 MiB to 5 GiB, all but the last of one size on some servers (R2). Of an object whose length is known the parts are as large as needed to fit that number;
/// of one whose length is not, a part doubles after each thousandth, so that 5 TiB, the largest object, is reached long before the last part.
/// </remarks>
internal static class S3PartPlan
{
    public const int MaxParts = 10_000;
    public const long MinPartBytes = 5L << 20;
    public const long MaxPartBytes = 5L << 30;
    private const int PartsPerStep = 1000;
    private const long Round = 1 << 20;

    /// <summary>Bytes of part <paramref name="number"/>, counted from 1; the last of an object is as long as what remains.</summary>
    public static long PartBytes(long configuredBytes, long? lengthBytes, int number)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(number, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(number, MaxParts);
        var bytes = lengthBytes is { } length
            ? Math.Max(configuredBytes, ((length + MaxParts - 1) / MaxParts + Round - 1) / Round * Round)
            : configuredBytes << ((number - 1) / PartsPerStep);
        return Math.Min(bytes, MaxPartBytes);
    }
}
