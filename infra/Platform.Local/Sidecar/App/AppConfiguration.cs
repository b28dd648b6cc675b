using System.Text.Json;
using Platform.Dapr;
using Platform.Local.Sidecar.Http;

namespace Platform.Local.Sidecar.App;

/// <summary>How the app wants one actor type to be run: its answer to <c>/dapr/config</c>.</summary>
internal sealed record ActorTypeSettings
{
    /// <summary>The type.</summary>
    public required string Type { get; init; }

    /// <summary>Deactivate after this long without a turn. Default 60 minutes.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromMinutes(60);

    /// <summary>A moving actor may finish its turn for this long. Default 2 s.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Whether a moving actor's turn is waited for. Default true.</summary>
    public bool Drain { get; init; } = true;

    /// <summary>Whether a chain of calls may come back to an actor that waits for it. Default false.</summary>
    public bool Reentrant { get; init; }

    /// <summary>Depth of such a chain. Default 32.</summary>
    public int MaxStackDepth { get; init; } = 32;
}

/// <summary>Reads <c>/dapr/config</c>.</summary>
internal static class AppConfiguration
{
    /// <summary>One entry per actor type; members that are absent or unreadable keep their defaults, as with daprd.</summary>
    /// <exception cref="JsonException">The body is no JSON object.</exception>
    public static IReadOnlyList<ActorTypeSettings> Parse(ReadOnlyMemory<byte> body)
    {
        using var document = JsonDocument.Parse(body);
        var root = document.RootElement;
        var types = new Dictionary<string, ActorTypeSettings>(StringComparer.Ordinal);
        var defaults = Read(root, new ActorTypeSettings { Type = "" });
        foreach (var type in EntitiesOf(root))
        {
            types[type] = defaults with { Type = type };
        }

        if (GoJson.Find(root, "entitiesConfig") is { ValueKind: JsonValueKind.Array } entries)
        {
            foreach (var entry in entries.EnumerateArray())
            {
                foreach (var type in EntitiesOf(entry).Where(types.ContainsKey))
                {
                    types[type] = Read(entry, new ActorTypeSettings { Type = type });
                }
            }
        }

        return [.. types.Values];
    }

    private static IEnumerable<string> EntitiesOf(JsonElement element) => GoJson.Find(element, "entities") is { ValueKind: JsonValueKind.Array } names
        ? names.EnumerateArray().Where(name => name.ValueKind == JsonValueKind.String).Select(name => name.GetString()!)
        : [];

    private static ActorTypeSettings Read(JsonElement element, ActorTypeSettings defaults)
    {
        var reentrancy = GoJson.Find(element, "reentrancy") ?? default;
        return defaults with
        {
            IdleTimeout = Duration(element, "actorIdleTimeout") ?? defaults.IdleTimeout,
            DrainTimeout = Duration(element, "drainOngoingCallTimeout") ?? defaults.DrainTimeout,
            Drain = GoJson.Find(element, "drainRebalancedActors")?.ValueKind != JsonValueKind.False,
            Reentrant = GoJson.Find(reentrancy, "enabled")?.ValueKind == JsonValueKind.True,
            MaxStackDepth = GoJson.Find(reentrancy, "maxStackDepth") is { ValueKind: JsonValueKind.Number } depth && depth.TryGetInt32(out var value) ? value : defaults.MaxStackDepth,
        };
    }

    private static TimeSpan? Duration(JsonElement element, string name) =>
        GoJson.Find(element, name) is { ValueKind: JsonValueKind.String } text && GoDuration.TryParse(text.GetString(), out var value) ? value : null;
}
