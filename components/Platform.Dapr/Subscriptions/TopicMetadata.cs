namespace Platform.Dapr.Subscriptions;

/// <summary>Endpoint metadata: the endpoint takes the events of a topic. <see cref="SubscriptionEndpoints.MapSubscribeHandler"/> tells the sidecar of it.</summary>
/// <remarks>Several endpoints may name the same topic with different <see cref="Match"/>: they become the rules of one subscription.</remarks>
public interface ITopicMetadata
{
    /// <summary>Name of the pub/sub component.</summary>
    string PubsubName { get; }

    /// <summary>The topic.</summary>
    string Name { get; }

    /// <summary>Routing rule in CEL over <c>event</c>, for example <c>event.type == "order.big"</c>; null: the default route of the topic.</summary>
    string? Match { get; }

    /// <summary>Order of the rules of one topic, lowest first. Default 0.</summary>
    int Priority { get; }

    /// <summary>Topic for events that could not be handled; null: none.</summary>
    string? DeadLetterTopic { get; }

    /// <summary>True if publishers send no CloudEvents: the event's data are the bytes that were published.</summary>
    bool IsRawPayload { get; }
}

/// <summary>Endpoint metadata: the endpoint takes several events in one call.</summary>
public interface IBulkSubscribeMetadata
{
    /// <summary>Events in a call at most. Default 100.</summary>
    int MaxMessagesCount { get; }

    /// <summary>Wait for that many for this long, milliseconds. Default 1000.</summary>
    int MaxAwaitDurationMs { get; }
}

/// <summary>The topic of a handler. May be repeated for several topics.</summary>
/// <param name="pubsubName">Name of the pub/sub component.</param>
/// <param name="name">The topic.</param>
[AttributeUsage(AttributeTargets.Method | AttributeTargets.Class, AllowMultiple = true)]
public sealed class TopicAttribute(string pubsubName, string name) : Attribute, ITopicMetadata
{
    /// <summary>A topic with a routing rule.</summary>
    /// <param name="pubsubName">Name of the pub/sub component.</param>
    /// <param name="name">The topic.</param>
    /// <param name="match">Routing rule in CEL over <c>event</c>.</param>
    /// <param name="priority">Order of the rule among those of the topic, lowest first.</param>
    public TopicAttribute(string pubsubName, string name, string match, int priority)
        : this(pubsubName, name)
    {
        Match = match;
        Priority = priority;
    }

    /// <inheritdoc/>
    public string PubsubName => pubsubName;

    /// <inheritdoc/>
    public string Name => name;

    /// <inheritdoc/>
    public new string? Match { get; }

    /// <inheritdoc/>
    public int Priority { get; }

    /// <inheritdoc/>
    public string? DeadLetterTopic { get; init; }

    /// <inheritdoc/>
    public bool IsRawPayload { get; init; }
}

/// <summary>Has the handler's topics delivered several events at a time.</summary>
[AttributeUsage(AttributeTargets.Method | AttributeTargets.Class)]
public sealed class BulkSubscribeAttribute : Attribute, IBulkSubscribeMetadata
{
    /// <inheritdoc/>
    public int MaxMessagesCount { get; init; } = 100;

    /// <inheritdoc/>
    public int MaxAwaitDurationMs { get; init; } = 1000;
}
