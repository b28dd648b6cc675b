namespace Platform.Local.Sidecar.Resources;

/// <summary>A Component as its file has it, values resolved.</summary>
internal sealed record ComponentResource
{
    /// <summary>Name by which apps call it.</summary>
    public required string Name { get; init; }

    /// <summary>For example <c>state.redis</c>.</summary>
    public required string Type { get; init; }

    /// <summary>For example <c>v1</c>.</summary>
    public required string Version { get; init; }

    /// <summary>Settings; names in any case.</summary>
    public required IReadOnlyDictionary<string, string> Metadata { get; init; }

    /// <summary>Where it was read.</summary>
    public required string File { get; init; }

    /// <summary>Line of its type.</summary>
    public required long Line { get; init; }

    /// <summary>A setting; null if it is absent.</summary>
    public string? Find(string name) => Metadata.GetValueOrDefault(name);
}
