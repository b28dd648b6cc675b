namespace Platform.Local.Sidecar.Resources;

/// <summary>The component types that the embedded sidecar honours, and by what.</summary>
internal static class ComponentTypes
{
    /// <summary>State stores of Dapr with ETags, transactions and time to live: the embedded durable store has the same.</summary>
    public static IReadOnlyList<string> State { get; } = ["state.redis", "state.in-memory", "state.postgresql", "state.sqlite"];

    /// <summary>The broker whose subscriptions may end in a star.</summary>
    public const string InMemoryPubSub = "pubsub.in-memory";

    /// <summary>Brokers with consumer groups: the embedded durable broker has the same.</summary>
    public static IReadOnlyList<string> PubSub { get; } = ["pubsub.redis", InMemoryPubSub];

    /// <summary>Secrets in a JSON file.</summary>
    public const string SecretsFile = "secretstores.local.file";

    /// <summary>Secrets in the environment.</summary>
    public const string SecretsEnvironment = "secretstores.local.env";

    /// <summary>Every type that is honoured.</summary>
    public static IReadOnlyList<string> All { get; } = [.. State, .. PubSub, SecretsFile, SecretsEnvironment];

    /// <summary>What serves a type, for the start-up report; null if the type is its own, not replaced.</summary>
    public static string? ReplacedBy(string type) => type switch
    {
        _ when State.Contains(type) => "the embedded durable store",
        _ when PubSub.Contains(type) => "the embedded durable broker",
        _ => null,
    };
}
