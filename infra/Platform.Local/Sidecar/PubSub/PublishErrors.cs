using Platform.Local.Sidecar.Http;

namespace Platform.Local.Sidecar.PubSub;

/// <summary>What can be wrong with a publish, in daprd's words (<c>pkg/api/errors/pubsub.go</c>).</summary>
internal static class PublishErrors
{
    /// <summary>No component of that name, or none at all.</summary>
    public static DaprErrorException NotFound(string name) =>
        new(new DaprError(404, "ERR_PUBSUB_NOT_FOUND", $"pubsub {name} is not found") { Details = new DaprErrorDetails("DAPR_PUBSUB_NOT_FOUND") });

    public static DaprErrorException TopicEmpty(string name) => Error(404, "ERR_TOPIC_NAME_EMPTY", $"topic is empty in pubsub {name}", "TOPIC_NAME_EMPTY", name, []);

    public static DaprErrorException Forbidden(string name, string topic, string appId)
    {
        var words = $"topic {topic} is not allowed for app id {appId}";
        return Error(403, "ERR_PUBSUB_FORBIDDEN", words, "FORBIDDEN", name, new() { ["topic"] = topic, ["error"] = words });
    }

    /// <summary>The body could not be read, or the broker not write.</summary>
    public static DaprErrorException Publish(string name, string topic, Exception inner) => Error(
        500, "ERR_PUBSUB_PUBLISH_MESSAGE", $"error when publishing to topic {topic} in pubsub {name}: {inner.Message}", "PUBLISH_MESSAGE", name, new() { ["topic"] = topic, ["error"] = inner.Message }, inner);

    /// <summary>The request's metadata.</summary>
    public static DaprErrorException Metadata(string name, IReadOnlyDictionary<string, string> metadata, string why) =>
        Error(400, "ERR_PUBSUB_REQUEST_METADATA", $"failed deserializing metadata. Error: {why}", "METADATA_DESERIALIZATION", name, new(metadata));

    /// <summary>A body that says it is a CloudEvent and is none.</summary>
    public static DaprErrorException CloudEvent(string name, string appId, Exception inner) =>
        Error(500, "ERR_PUBSUB_CLOUD_EVENTS_SER", "cannot create cloudevent", "CLOUD_EVENT_CREATION", name, new() { ["appID"] = appId, ["error"] = inner.Message }, inner);

    /// <summary>A bulk request that is no array of entries.</summary>
    public static DaprErrorException UnmarshalEvents(string name, string topic, string appId, Exception inner) => Error(
        400, "ERR_PUBSUB_EVENTS_SER", $"error when unmarshaling the request for topic {topic} pubsub {name}: {inner.Message}", "UNMARSHAL_EVENTS", name, new() { ["appID"] = appId }, inner);

    /// <summary>An entry whose event is not what its content type says.</summary>
    public static DaprErrorException MarshalEnvelope(string name, string topic, string appId, string why) => Error(
        400, "ERR_PUBSUB_EVENTS_SER", $"error when marshalling cloud event envelope for topic {topic} pubsub {name}: {why}", "MARSHAL_ENVELOPE", name, new() { ["appID"] = appId, ["error"] = why });

    /// <summary>Entries that cannot be told apart.</summary>
    public static DaprErrorException MarshalEvents(string name, string topic, string appId, string why) => Error(
        400, "ERR_PUBSUB_EVENTS_SER", $"error marshaling events to bytes for topic {topic} pubsub {name}. error: {why}", "MARSHAL_EVENTS", name, new() { ["appID"] = appId, ["error"] = why });

    private static DaprErrorException Error(int status, string code, string message, string reason, string name, Dictionary<string, string> metadata, Exception? inner = null) =>
        new(new DaprError(status, code, message) { Details = new DaprErrorDetails("DAPR_PUBSUB_" + reason) { Metadata = metadata, Resource = ("pubsub", name, message) } }, inner);
}
