using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using Platform.Dapr;

namespace Platform.Local.Sidecar.Actors;

/// <summary>A distance in time, with the calendar parts apart.</summary>
/// <param name="Years">Calendar years.</param>
/// <param name="Months">Calendar months.</param>
/// <param name="Days">Calendar days; a week is seven.</param>
/// <param name="Time">The rest.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly partial record struct Period(int Years, int Months, int Days, TimeSpan Time)
{
    public bool HasCalendarParts => Years != 0 || Months != 0 || Days != 0;

    public bool IsPositive => HasCalendarParts || Time > TimeSpan.Zero;

    public DateTimeOffset After(DateTimeOffset start) => start.AddYears(Years).AddMonths(Months).AddDays(Days) + Time;

    /// <summary>Reads <c>1h30m</c>, <c>@every 1h30m</c>, <c>PT1H30M</c>, and with a number of repetitions <c>R5/PT10S</c>.</summary>
    /// <param name="text">The text.</param>
    /// <param name="period">The distance.</param>
    /// <param name="repeats">Times in all; null: no end.</param>
    public static bool TryParse(string text, out Period period, out int? repeats)
    {
        period = default;
        repeats = null;
        if (text.StartsWith('R') && text.IndexOf('/', StringComparison.Ordinal) is var slash and > 0)
        {
            if (!int.TryParse(text.AsSpan(1, slash - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count < 1)
            {
                return false;
            }

            repeats = count;
            text = text[(slash + 1)..];
        }

        if (text.StartsWith("@every ", StringComparison.Ordinal))
        {
            text = text[7..];
        }

        if (GoDuration.TryParse(text, out var duration))
        {
            period = new Period(0, 0, 0, duration);
            return duration >= TimeSpan.Zero;
        }

        var match = Iso().Match(text);
        if (!match.Success || text is "P" || text.EndsWith('T'))
        {
            return false;
        }

        int Part(string name) => match.Groups[name] is { Success: true } group ? int.Parse(group.ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture) : 0;
        period = new Period(
            Part("years"),
            Part("months"),
            (7 * Part("weeks")) + Part("days"),
            TimeSpan.FromHours(Part("hours")) + TimeSpan.FromMinutes(Part("minutes")) + TimeSpan.FromSeconds(Part("seconds")));
        return true;
    }

    /// <summary>As Go prints a duration: <c>1h0m5s</c>, <c>1.5s</c>, <c>500ms</c>.</summary>
    public static string Format(TimeSpan time)
    {
        if (time == TimeSpan.Zero)
        {
            return "0s";
        }

        if (time < TimeSpan.FromSeconds(1))
        {
            return time < TimeSpan.FromMilliseconds(1)
                ? string.Create(CultureInfo.InvariantCulture, $"{time.TotalMicroseconds:0.###}µs")
                : string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds:0.######}ms");
        }

        var seconds = (time.Ticks % TimeSpan.TicksPerMinute) / (decimal)TimeSpan.TicksPerSecond;
        var text = string.Create(CultureInfo.InvariantCulture, $"{seconds:0.#########}s");
        text = time >= TimeSpan.FromMinutes(1) ? $"{time.Minutes}m{text}" : text;
        return time >= TimeSpan.FromHours(1) ? $"{(long)time.TotalHours}h{text}" : text;
    }

    [GeneratedRegex(@"^P(?:(?<years>\d{1,4})Y)?(?:(?<months>\d{1,5})M)?(?:(?<weeks>\d{1,6})W)?(?:(?<days>\d{1,7})D)?(?:T(?:(?<hours>\d{1,7})H)?(?:(?<minutes>\d{1,8})M)?(?:(?<seconds>\d{1,9})S)?)?\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Iso();
}
