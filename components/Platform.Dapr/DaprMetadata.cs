namespace Platform.Dapr;

/// <summary>What a sidecar says about itself. Members that we do not use are left out.</summary>
public sealed record DaprMetadata
{
    /// <summary>App id.</summary>
    public string Id { get; init; } = "";

    /// <summary>Version of the runtime.</summary>
    public string? RuntimeVersion { get; init; }

    /// <summary>Loaded components.</summary>
    public IReadOnlyList<DaprComponentMetadata> Components { get; init; } = [];

    /// <summary>Actor types hosted by the app and how many are active.</summary>
    public IReadOnlyList<DaprActorCount> Actors { get; init; } = [];

    /// <summary>Labels that the app or the CLI set.</summary>
    public IReadOnlyDictionary<string, string> Extended { get; init; } = new Dictionary<string, string>();
}

/// <summary>A loaded component.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its type, for example <c>state.redis</c>.</param>
/// <param name="Version">Its version.</param>
/// <param name="Capabilities">What it can, in Dapr's words.</param>
public sealed record DaprComponentMetadata(string Name, string Type, string? Version, IReadOnlyList<string>? Capabilities);

/// <summary>Active actors of one type.</summary>
/// <param name="Type">Actor type.</param>
/// <param name="Count">How many are active.</param>
public sealed record DaprActorCount(string Type, int Count);
