using System.Text.Json.Serialization;

namespace Platform.Local.Sidecar.Actors;

/// <summary>A reminder as it is kept on disk.</summary>
internal sealed record Reminder
{
    /// <summary>Type of the actor.</summary>
    public required string Type { get; init; }

    /// <summary>Id of the actor.</summary>
    public required string Id { get; init; }

    /// <summary>Name of the reminder.</summary>
    public required string Name { get; init; }

    /// <summary>When it fires next.</summary>
    public required DateTimeOffset Due { get; init; }

    /// <summary>Between firings; null: once.</summary>
    public TimeSpan? Period { get; init; }

    /// <summary>Firings left; null: no end.</summary>
    public int? Left { get; init; }

    /// <summary>Nothing fires after it; null: no end.</summary>
    public DateTimeOffset? Expires { get; init; }

    /// <summary>JSON for the callback; null: nothing.</summary>
    public string? Data { get; init; }

    /// <summary>Attempts after a failed one.</summary>
    public int MaxRetries { get; init; }

    /// <summary>Between attempts.</summary>
    public TimeSpan RetryInterval { get; init; }

    /// <summary>The moment of the first firing, for a one-shot's answer to GET.</summary>
    public DateTimeOffset? FirstDue { get; init; }

    [JsonIgnore]
    public ActorKey Actor => new(Type, Id);

    [JsonIgnore]
    public string Key => KeyOf(Actor, Name);

    public static string KeyOf(ActorKey actor, string name) => $"{actor}||{name}";

    /// <summary>As it is after a firing; null if that was the last.</summary>
    /// <remarks>Firings that were missed are not made up for: the next is the first of the rhythm after now.</remarks>
    public Reminder? Next(DateTimeOffset now)
    {
        if (Period is not { } period || Left == 1)
        {
            return null;
        }

        var next = Due + period;
        if (next <= now)
        {
            next += (((now - next) / period) is var missed ? Math.Floor(missed) + 1 : 0) * period;
        }

        return next > Expires ? null : this with { Due = next, Left = Left - 1 };
    }
}
