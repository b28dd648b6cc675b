using System.Text.Json;
using Platform.Local.Sidecar.Expressions;
using Platform.Local.Sidecar.Http;
using Platform.Local.Sidecar.Resources;

namespace Platform.Local.Sidecar.PubSub;

/// <summary>Reads subscriptions: the app's answer to <c>/dapr/subscribe</c>, and Subscription resources of both versions.</summary>
internal static class SubscriptionReader
{
    private static readonly string[] Variables = ["event"];

    /// <summary>Programmatic subscriptions. Entries without a route are left out, as with daprd.</summary>
    /// <param name="body">The app's answer; may be empty.</param>
    /// <param name="refuse">Told of what cannot be read.</param>
    public static IReadOnlyList<Subscription> Programmatic(ReadOnlyMemory<byte> body, Action<string> refuse)
    {
        var subscriptions = new List<Subscription>();
        if (body.IsEmpty)
        {
            return subscriptions;
        }

        try
        {
            using var json = JsonDocument.Parse(body);
            if (json.RootElement.ValueKind != JsonValueKind.Array)
            {
                refuse($"expected an array of subscriptions, found {json.RootElement.ValueKind}");
                return subscriptions;
            }

            foreach (var entry in json.RootElement.EnumerateArray())
            {
                try
                {
                    if (Programmatic(entry) is { } subscription)
                    {
                        subscriptions.Add(subscription);
                    }
                }
                catch (Exception e) when (e is CelException or JsonException)
                {
                    refuse($"{entry.GetRawText()}: {e.Message}");
                }
            }
        }
        catch (JsonException e)
        {
            refuse(e.Message);
        }

        return subscriptions;
    }

    /// <summary>A Subscription resource.</summary>
    /// <exception cref="ResourceException">It cannot be honoured.</exception>
    public static Subscription Declarative(ResourceDocument document)
    {
        var spec = document.Spec;
        var rules = new List<SubscriptionRule>();
        if (document.ApiVersion == "dapr.io/v1alpha1")
        {
            rules.Add(new SubscriptionRule(null, Trim(spec.RequiredText("route"))));
        }
        else
        {
            var routes = spec.Map("routes") ?? throw spec.Error("'routes' is missing.");
            foreach (var rule in routes.Maps("rules"))
            {
                try
                {
                    rules.Add(Rule(rule.Text("match"), rule.RequiredText("path")));
                }
                catch (CelException e)
                {
                    throw rule.ErrorAt("match", $"match '{rule.Text("match")}': {e.Message}");
                }
            }

            if (routes.Text("default") is { } path)
            {
                rules.Add(new SubscriptionRule(null, Trim(path)));
            }
        }

        var metadata = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var key in spec.Map("metadata")?.Keys ?? [])
        {
            metadata[key] = spec.Map("metadata")!.Text(key) ?? "";
        }

        var bulk = spec.Map("bulkSubscribe");
        return new Subscription
        {
            PubSub = spec.RequiredText("pubsubname"),
            Topic = spec.RequiredText("topic"),
            Rules = rules.Count > 0 ? rules : throw spec.ErrorAt("routes", "there is neither a rule nor a default."),
            DeadLetterTopic = spec.Text("deadLetterTopic") is { Length: > 0 } topic ? topic : null,
            Metadata = metadata,
            IsRaw = IsRaw(metadata),
            Bulk = bulk?.Flag("enabled") == true ? Bulk(bulk.Number("maxMessagesCount"), bulk.Number("maxAwaitDurationMs")) : null,
            IsDeclarative = true,
        };
    }

    private static Subscription? Programmatic(JsonElement entry)
    {
        var rules = new List<SubscriptionRule>();
        string? fallback = null;
        if (GoJson.Find(entry, "routes") is { ValueKind: JsonValueKind.Object } routes)
        {
            fallback = GoJson.FindString(routes, "default");
            foreach (var rule in GoJson.Find(routes, "rules") is { ValueKind: JsonValueKind.Array } array ? array.EnumerateArray().ToList() : [])
            {
                rules.Add(Rule(GoJson.FindString(rule, "match"), GoJson.FindString(rule, "path") ?? ""));
            }
        }

        if ((string.IsNullOrEmpty(fallback) ? GoJson.FindString(entry, "route") : fallback) is { Length: > 0 } path)
        {
            rules.Add(new SubscriptionRule(null, Trim(path)));
        }

        var (pubsub, topic) = (GoJson.FindString(entry, "pubsubname"), GoJson.FindString(entry, "topic"));
        if (rules.Count == 0 || string.IsNullOrEmpty(pubsub) || string.IsNullOrEmpty(topic))
        {
            return null;
        }

        var metadata = new Dictionary<string, string>(GoJson.FindMap(entry, "metadata"), StringComparer.OrdinalIgnoreCase);
        var bulk = GoJson.Find(entry, "bulkSubscribe") ?? default;
        return new Subscription
        {
            PubSub = pubsub,
            Topic = topic,
            Rules = rules,
            DeadLetterTopic = GoJson.FindString(entry, "deadLetterTopic") is { Length: > 0 } dead ? dead : null,
            Metadata = metadata,
            IsRaw = IsRaw(metadata),
            Bulk = GoJson.Find(bulk, "enabled")?.ValueKind == JsonValueKind.True ? Bulk(Number(bulk, "maxMessagesCount"), Number(bulk, "maxAwaitDurationMs")) : null,
        };
    }

    private static SubscriptionRule Rule(string? match, string path) => new(string.IsNullOrEmpty(match) ? null : CelExpression.Parse(match, Variables), Trim(path));

    private static string Trim(string path) => path.TrimStart('/');

    private static bool IsRaw(IReadOnlyDictionary<string, string> metadata) => string.Equals(metadata.GetValueOrDefault("rawPayload"), "true", StringComparison.OrdinalIgnoreCase);

    private static int? Number(JsonElement element, string name) => GoJson.Find(element, name) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt32(out var value) ? value : null;

    private static BulkSubscription Bulk(int? messages, int? milliseconds) =>
        new(messages is > 0 ? messages.Value : 100, TimeSpan.FromMilliseconds(milliseconds is > 0 ? milliseconds.Value : 1000));
}
