namespace Platform.Dapr.Actors;

/// <summary>Identifies an actor within its type. Slashes, backslashes, <c>#</c>, <c>?</c> and control characters are refused by the sidecar.</summary>
/// <param name="Value">The id.</param>
public readonly record struct ActorId(string Value)
{
    /// <summary>The id itself.</summary>
    public override string ToString() => Value;
}
