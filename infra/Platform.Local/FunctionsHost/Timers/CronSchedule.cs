namespace Platform.Local.FunctionsHost.Timers;

/// <summary>An NCRONTAB expression: second (optional), minute, hour, day, month, day of week. Lists, ranges, steps and English names.</summary>
/// <remarks>Day and day of week must both match, as in NCRONTAB. Times that a change to summer time skips do not occur.</remarks>
internal sealed class CronSchedule
{
    private static readonly string[] MonthNames = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
    private static readonly string[] DayNames = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

    /// <summary>Longest gap between occurrences that exist: 29 February on a given day of the week, across a century without leap day.</summary>
    private const int SearchYears = 41;

    private readonly ulong _seconds;
    private readonly ulong _minutes;
    private readonly ulong _hours;
    private readonly ulong _days;
    private readonly ulong _months;
    private readonly ulong _weekdays;

    private CronSchedule(ulong seconds, ulong minutes, ulong hours, ulong days, ulong months, ulong weekdays)
    {
        _seconds = seconds;
        _minutes = minutes;
        _hours = hours;
        _days = days;
        _months = months;
        _weekdays = weekdays;
    }

    /// <exception cref="FormatException">The text is no NCRONTAB expression; the message names the field.</exception>
    public static CronSchedule Parse(string text)
    {
        var fields = text.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (fields.Length is not (5 or 6))
        {
            throw new FormatException($"'{text}' is no NCRONTAB expression: it has {fields.Length} fields; expected six (second minute hour day month day-of-week) or five.");
        }

        var first = fields.Length - 5;
        var weekdays = Field(text, "day of week", fields[first + 4], 0, 7, DayNames, 0);
        return new CronSchedule(
            first == 1 ? Field(text, "second", fields[0], 0, 59, [], 0) : 1,
            Field(text, "minute", fields[first], 0, 59, [], 0),
            Field(text, "hour", fields[first + 1], 0, 23, [], 0),
            Field(text, "day", fields[first + 2], 1, 31, [], 0),
            Field(text, "month", fields[first + 3], 1, 12, MonthNames, 1),
            (weekdays | (weekdays >> 7)) & 0x7F);
    }

    /// <summary>The first occurrence after <paramref name="after"/>, in the time of <paramref name="zone"/>; null if there is none within 41 years.</summary>
    public DateTimeOffset? Next(DateTimeOffset after, TimeZoneInfo zone)
    {
        var local = TimeZoneInfo.ConvertTime(after, zone).DateTime;
        var candidate = local.AddTicks(-(local.Ticks % TimeSpan.TicksPerSecond)).AddSeconds(1);
        var limit = candidate.AddYears(SearchYears);
        while (candidate < limit)
        {
            if (!Has(_months, candidate.Month))
            {
                candidate = new DateTime(candidate.Year, candidate.Month, 1).AddMonths(1);
            }
            else if (!Has(_days, candidate.Day) || !Has(_weekdays, (int)candidate.DayOfWeek))
            {
                candidate = candidate.Date.AddDays(1);
            }
            else if (!Has(_hours, candidate.Hour))
            {
                candidate = candidate.Date.AddHours(candidate.Hour + 1);
            }
            else if (!Has(_minutes, candidate.Minute))
            {
                candidate = candidate.AddSeconds(60 - candidate.Second);
            }
            else if (!Has(_seconds, candidate.Second) || zone.IsInvalidTime(candidate))
            {
                candidate = candidate.AddSeconds(1);
            }
            else
            {
                var occurrence = new DateTimeOffset(candidate, zone.GetUtcOffset(candidate));
                if (occurrence > after)
                {
                    return occurrence.ToUniversalTime();
                }

                candidate = candidate.AddSeconds(1);
            }
        }

        return null;
    }

    private static bool Has(ulong set, int value) => (set & (1UL << value)) != 0;

    private static ulong Field(string text, string name, string field, int minimum, int maximum, string[] names, int nameBase)
    {
        var set = 0UL;
        foreach (var part in field.Split(','))
        {
            var (range, step) = part.Split('/') switch
            {
                [var all] => (all, 1),
                [var some, var every] when int.TryParse(every, out var number) && number > 0 => (some, number),
                _ => throw Fault(text, name, field, minimum, maximum),
            };
            var (from, to) = range.Split('-') switch
            {
                ["*"] => (minimum, name == "day of week" ? 6 : maximum),
                [var one] when part.Contains('/', StringComparison.Ordinal) => (Value(one), maximum),
                [var one] => (Value(one), Value(one)),
                [var low, var high] => (Value(low), Value(high)),
                _ => throw Fault(text, name, field, minimum, maximum),
            };
            if (from < minimum || to > maximum || from > to)
            {
                throw Fault(text, name, field, minimum, maximum);
            }

            for (var value = from; value <= to; value += step)
            {
                set |= 1UL << value;
            }
        }

        return set;

        int Value(string word)
        {
            var named = Array.FindIndex(names, candidate => candidate.Equals(word, StringComparison.OrdinalIgnoreCase));
            return named >= 0 ? named + nameBase : int.TryParse(word, out var number) ? number : throw Fault(text, name, field, minimum, maximum);
        }
    }

    private static FormatException Fault(string text, string name, string field, int minimum, int maximum) =>
        new($"'{text}' is no NCRONTAB expression: the {name} is '{field}'; expected *, or numbers from {minimum} to {maximum}, with ',' '-' and '/'.");
}
