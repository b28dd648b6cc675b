using System.Text.Json;
using Platform.Local.Sidecar.Expressions;

namespace Platform.Local.Sidecar.PubSub;

/// <summary>What an app wants of a topic and where it wants it.</summary>
internal sealed record Subscription
{
    public required string PubSub { get; init; }

    public required string Topic { get; init; }

    /// <summary>Rules in order; the last may have no condition: the default route.</summary>
    public required IReadOnlyList<SubscriptionRule> Rules { get; init; }

    /// <summary>Topic for what could not be handled; null: none.</summary>
    public string? DeadLetterTopic { get; init; }

    /// <summary>True if messages are no CloudEvents.</summary>
    public bool IsRaw { get; init; }

    /// <summary>Several messages in one call; null: one by one.</summary>
    public BulkSubscription? Bulk { get; init; }

    /// <summary>As the app gave it.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();

    /// <summary>True if it came from a file.</summary>
    public bool IsDeclarative { get; init; }

    /// <summary>The path for an event; null if no rule matches.</summary>
    /// <exception cref="CelException">A rule cannot be evaluated over it.</exception>
    public string? RouteOf(JsonElement cloudEvent) => Rules.FirstOrDefault(rule => rule.Match is null || rule.Match.IsTrue(_ => cloudEvent))?.Path;
}

/// <summary>A condition and a path.</summary>
/// <param name="Match">The condition over <c>event</c>; null: always.</param>
/// <param name="Path">Path at the app, without a leading slash.</param>
internal sealed record SubscriptionRule(CelExpression? Match, string Path);

/// <summary>Limits of a batch.</summary>
/// <param name="MaxMessages">Messages in a call at most.</param>
/// <param name="MaxAwait">Wait for that many for this long.</param>
internal sealed record BulkSubscription(int MaxMessages, TimeSpan MaxAwait);
