using Platform.Dapr;
using Platform.Local.Sidecar.Resources;

namespace Platform.Local.Sidecar.PubSub;

/// <summary>A pub/sub component as one app sees it: consumer group, scopes, redelivery.</summary>
internal sealed class PubSubComponent
{
    private readonly string _appId;

    public PubSubComponent(ComponentResource resource, string appId)
    {
        Resource = resource;
        _appId = appId;
        IsShared = resource.Find("consumerID") is { Length: > 0 };
        ConsumerId = IsShared ? resource.Find("consumerID")! : appId;
        RedeliverAfter = GoDuration.TryParse(resource.Find("processingTimeout"), out var timeout) && timeout > TimeSpan.Zero ? timeout : TimeSpan.FromSeconds(60);
        Concurrency = resource.Type == ComponentTypes.InMemoryPubSub ? 1 : int.TryParse(resource.Find("concurrency"), out var workers) && workers > 0 ? workers : 10;
    }

    public ComponentResource Resource { get; }

    public string Name => Resource.Name;

    /// <summary>True if the component names a consumer id: other apps may have the same.</summary>
    public bool IsShared { get; }

    /// <summary>Apps of one consumer id compete; others each get a copy.</summary>
    public string ConsumerId { get; }

    /// <summary>From a failed delivery to the next.</summary>
    public TimeSpan RedeliverAfter { get; }

    /// <summary>Deliveries of one subscription at a time.</summary>
    public int Concurrency { get; }

    /// <summary>The group of this app for a topic. With the in-memory type a star at the end stands for any rest; with Redis it is a character like others.</summary>
    public GroupKey GroupOf(string topic) => new(Name, topic, ConsumerId, Resource.Type == ComponentTypes.InMemoryPubSub && topic.EndsWith('*'));

    public bool MayPublish(string topic) => IsKnown(topic) && InScope("publishingScopes", topic);

    public bool MaySubscribe(string topic) => IsKnown(topic) && InScope("subscriptionScopes", topic);

    private static string[] Split(string? list) => (list ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    private bool IsKnown(string topic) => Split(Resource.Find("allowedTopics")) is not { Length: > 0 } allowed || allowed.Contains(topic);

    /// <summary>An app that the list names may use what it lists; one that it does not name, everything but protected topics.</summary>
    private bool InScope(string list, string topic)
    {
        foreach (var scope in (Resource.Find(list) ?? "").Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var mark = scope.IndexOf('=', StringComparison.Ordinal);
            if (mark > 0 && scope[..mark].Trim() == _appId)
            {
                return Split(scope[(mark + 1)..]).Contains(topic);
            }
        }

        return !Split(Resource.Find("protectedTopics")).Contains(topic);
    }
}
