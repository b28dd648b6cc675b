using System.Buffers;
using System.Globalization;

namespace Platform.Dapr;

/// <summary>Durations as Go writes and reads them: <c>1h15m30s</c>, <c>500ms</c>, <c>1.5s</c>.</summary>
public static class GoDuration
{
    private static readonly SearchValues<char> NumberCharacters = SearchValues.Create("0123456789.");

    /// <summary>Writes a duration in its largest whole unit: <c>90s</c>, <c>1500ms</c>, <c>10us</c>.</summary>
    public static string Format(TimeSpan value) => value switch
    {
        _ when value.Ticks % TimeSpan.TicksPerSecond == 0 => string.Create(CultureInfo.InvariantCulture, $"{value.Ticks / TimeSpan.TicksPerSecond}s"),
        _ when value.Ticks % TimeSpan.TicksPerMillisecond == 0 => string.Create(CultureInfo.InvariantCulture, $"{value.Ticks / TimeSpan.TicksPerMillisecond}ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{value.Ticks / TimeSpan.TicksPerMicrosecond}us"),
    };

    /// <summary>Reads a duration; precision below 100 ns is cut off.</summary>
    public static bool TryParse(string? text, out TimeSpan value)
    {
        value = default;
        var rest = (text ?? "").AsSpan();
        var negative = rest.StartsWith("-");
        rest = rest.TrimStart("+-");
        if (rest.IsEmpty)
        {
            return false;
        }

        if (rest is "0")
        {
            return true;
        }

        var ticks = 0d;
        while (!rest.IsEmpty)
        {
            var digits = rest.IndexOfAnyExcept(NumberCharacters);
            if (digits <= 0 || !double.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            {
                return false;
            }

            rest = rest[digits..];
            var letters = rest.IndexOfAny(NumberCharacters);
            var unit = letters < 0 ? rest : rest[..letters];
            var scale = unit switch
            {
                "ns" => 0.01,
                "us" or "µs" or "μs" => TimeSpan.TicksPerMicrosecond,
                "ms" => TimeSpan.TicksPerMillisecond,
                "s" => TimeSpan.TicksPerSecond,
                "m" => TimeSpan.TicksPerMinute,
                "h" => (double)TimeSpan.TicksPerHour,
                _ => 0,
            };
            if (scale == 0)
            {
                return false;
            }

            ticks += number * scale;
            rest = rest[unit.Length..];
        }

        if (ticks > long.MaxValue / 2d)
        {
            return false;
        }

        value = TimeSpan.FromTicks((long)(negative ? -ticks : ticks));
        return true;
    }
}
