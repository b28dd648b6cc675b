using System.Globalization;
using System.Text.Json;
using Platform.Local.Sidecar.Http;

namespace Platform.Local.Sidecar.Actors;

/// <summary>The body that makes a timer or reminder, read and checked.</summary>
internal sealed record ScheduleRequest
{
    /// <summary>First due moment as asked for; null: none was.</summary>
    public DateTimeOffset? Due { get; private init; }

    /// <summary>Between firings; null: once.</summary>
    public Period? Period { get; private init; }

    /// <summary>Firings in all; null: no end.</summary>
    public int? Repeats { get; private init; }

    /// <summary>Nothing fires after it; null: no end. Counts from the first due moment.</summary>
    public DateTimeOffset? Expires { get; private init; }

    /// <summary>Handed to the callback: JSON as it came; null: nothing.</summary>
    public string? Data { get; private init; }

    /// <summary>A timer's method.</summary>
    public string Callback { get; private init; } = "";

    /// <summary>False: an existing reminder of the name is an error.</summary>
    public bool Overwrite { get; private init; } = true;

    /// <summary>Attempts after a failed one.</summary>
    public int MaxRetries { get; private init; } = 3;

    /// <summary>Between attempts.</summary>
    public TimeSpan RetryInterval { get; private init; } = TimeSpan.FromSeconds(1);

    /// <exception cref="FormatException">Something in it is not what it should be.</exception>
    public static ScheduleRequest Parse(JsonElement body, DateTimeOffset now)
    {
        try
        {
            var period = ParsePeriod(GoJson.FindString(body, "period"), now, out var repeats);
            var due = ParseMoment("dueTime", GoJson.FindString(body, "dueTime"), now);
            var expires = ParseMoment("ttl", GoJson.FindString(body, "ttl"), due ?? now);
            if (expires <= (due ?? now))
            {
                throw new FormatException("ttl is already past");
            }

            var (retries, interval) = ParsePolicy(GoJson.Find(body, "failure_policy") ?? GoJson.Find(body, "failurePolicy"));
            return new ScheduleRequest
            {
                Due = due,
                Period = period,
                Repeats = repeats,
                Expires = expires,
                Data = GoJson.Find(body, "data") is { ValueKind: not JsonValueKind.Null } data ? data.GetRawText() : null,
                Callback = GoJson.FindString(body, "callback") ?? "",
                Overwrite = GoJson.Find(body, "overwrite")?.ValueKind != JsonValueKind.False,
                MaxRetries = retries,
                RetryInterval = interval,
            };
        }
        catch (JsonException e)
        {
            throw new FormatException(e.Message, e);
        }
    }

    private static Period? ParsePeriod(string? text, DateTimeOffset now, out int? repeats)
    {
        repeats = null;
        if (string.IsNullOrEmpty(text))
        {
            return null;
        }

        if (!Actors.Period.TryParse(text, out var period, out repeats))
        {
            throw new FormatException($"period '{text}' is no duration such as 1h30m, PT1H30M or R5/PT10S");
        }

        After(period, now, "period", text);
        return period.IsPositive ? period : null;
    }

    private static DateTimeOffset After(Period distance, DateTimeOffset start, string name, string text)
    {
        try
        {
            return distance.After(start);
        }
        catch (ArgumentOutOfRangeException e)
        {
            throw new FormatException($"{name} '{text}' ends after the year 9999", e);
        }
    }

    private static DateTimeOffset? ParseMoment(string name, string? text, DateTimeOffset start)
    {
        if (string.IsNullOrEmpty(text))
        {
            return null;
        }

        if (Actors.Period.TryParse(text, out var distance, out var repeats) && repeats is null)
        {
            return After(distance, start, name, text);
        }

        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var moment)
            ? moment.ToUniversalTime()
            : throw new FormatException($"{name} '{text}' is no duration such as 1h30m or PT1H30M, and no RFC 3339 time");
    }

    private static (int Retries, TimeSpan Interval) ParsePolicy(JsonElement? policy)
    {
        if (policy is not { ValueKind: JsonValueKind.Object } given)
        {
            return (3, TimeSpan.FromSeconds(1));
        }

        if (GoJson.Find(given, "constant") is { ValueKind: JsonValueKind.Object } constant)
        {
            var retries = GoJson.Find(constant, "maxRetries") is { ValueKind: JsonValueKind.Number } number && number.TryGetInt32(out var count) ? count : int.MaxValue;
            var interval = GoJson.FindString(constant, "interval") is { } text && Actors.Period.TryParse(text, out var parsed, out _) ? parsed.Time : TimeSpan.Zero;
            return (retries, interval);
        }

        return GoJson.Find(given, "drop") is not null ? (0, TimeSpan.Zero) : throw new FormatException("failure_policy has neither 'constant' nor 'drop'");
    }
}
