using System.Globalization;

namespace Platform.Local.Supervisor;

/// <summary>Byte quantities as Dapr and Kubernetes write them: <c>16Mi</c>, <c>1G</c>, <c>4096</c>.</summary>
internal static class ByteQuantity
{
    private static readonly (string Suffix, long Factor)[] Units =
    [
        ("Ki", 1L << 10), ("Mi", 1L << 20), ("Gi", 1L << 30), ("Ti", 1L << 40),
        ("k", 1_000), ("K", 1_000), ("M", 1_000_000), ("G", 1_000_000_000), ("T", 1_000_000_000_000),
    ];

    /// <exception cref="PlatformException">It is not a quantity, or not above zero.</exception>
    public static long Parse(string text)
    {
        var (suffix, factor) = Units.FirstOrDefault(unit => text.EndsWith(unit.Suffix, StringComparison.Ordinal), ("", 1));
        return long.TryParse(text.AsSpan(0, text.Length - suffix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 && number <= long.MaxValue / factor
            ? number * factor
            : throw new PlatformException($"'{text}' is not a byte quantity; expected a whole number above zero with an optional unit, such as 16Mi.", Cli.ExitCodes.Usage);
    }
}
