namespace Platform.Functions.Sweeping;

/// <summary>What one sweep did.</summary>
internal sealed record Swept
{
    public static Swept Nothing { get; } = new();

    /// <summary>Jobs that go on and were asked to look at their lease, deadline and place in the queue.</summary>
    public int Nudged { get; init; }

    /// <summary>Idle replicas that left memory.</summary>
    public int Released { get; init; }

    /// <summary>Replicas and cached files of models that are not published, dropped per worker.</summary>
    public int Dropped { get; init; }

    /// <summary>Objects of ended jobs, deleted.</summary>
    public int ObjectsDeleted { get; init; }

    /// <summary>Their bytes.</summary>
    public long BytesDeleted { get; init; }

    /// <summary>Calls that failed; the next sweep makes them again.</summary>
    public int Failures { get; init; }

    /// <summary>True if there is something to tell beyond nudges.</summary>
    public bool DidAnything => Released + Dropped + ObjectsDeleted + Failures > 0;

    public static Swept operator +(Swept one, Swept other) => new()
    {
        Nudged = one.Nudged + other.Nudged,
        Released = one.Released + other.Released,
        Dropped = one.Dropped + other.Dropped,
        ObjectsDeleted = one.ObjectsDeleted + other.ObjectsDeleted,
        BytesDeleted = one.BytesDeleted + other.BytesDeleted,
        Failures = one.Failures + other.Failures,
    };
}
