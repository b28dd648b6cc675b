using System.Buffers;
using System.Text.Json;
using Platform.DataPlane;
using Platform.Local.Sidecar.Http;
using Platform.Local.Sidecar.Resiliency;

namespace Platform.Local.Sidecar.PubSub;

/// <summary><c>/v1.0/publish/{pubsub}/{topic}</c> and <c>/v1.0-alpha1/publish/bulk/...</c>.</summary>
internal sealed class PublishApi(IReadOnlyDictionary<string, PubSubComponent> components, MessageBroker broker, ResiliencyPolicies policies, string appId, long maxBodyBytes, TimeProvider time)
{
    /// <summary>Handles a request whose second segment is <c>publish</c>; false if it is none of ours.</summary>
    public async Task<bool> TryHandleAsync(HttpContext context, ApiPath path)
    {
        if (!HttpMethods.IsPost(context.Request.Method) && !HttpMethods.IsPut(context.Request.Method))
        {
            return false;
        }

        if (path.Is(2, "bulk") && path.Count >= 4)
        {
            await PublishBulkAsync(context, path.Parameter(3), path.Rest(4));
            return true;
        }

        if (!path.Is(0, "v1.0") || path.Count < 3)
        {
            return false;
        }

        await PublishAsync(context, path.Parameter(2), path.Rest(3));
        return true;
    }

    private static bool IsRaw(IReadOnlyDictionary<string, string> metadata) => metadata.GetValueOrDefault("rawPayload") switch
    {
        null or "" => false,
        var text when bool.TryParse(text, out var raw) => raw,
        "1" => true,
        "0" => false,
        var text => throw new DaprErrorException(400, "ERR_PUBSUB_REQUEST_METADATA", $"rawPayload value must be a valid boolean: actual is '{text}'"),
    };

    private async Task PublishAsync(HttpContext context, string name, string topic)
    {
        var component = Resolve(name, topic);
        var metadata = QueryMetadata.Of(context.Request);
        var isRaw = IsRaw(metadata);
        ReadOnlyMemory<byte> body;
        try
        {
            body = await RequestBody.ReadAsync(context, maxBodyBytes);
        }
        catch (BodyTooLargeException e)
        {
            throw new DaprErrorException(400, "ERR_MALFORMED_REQUEST", "failed to read the body: " + e.Message, e);
        }

        await SendAsync(component, topic, [isRaw ? body.ToArray() : Envelope(body, context.Request.ContentType, ContextOf(context, name, topic, metadata))]);
        await context.AnswerNothingAsync();
    }

    private async Task PublishBulkAsync(HttpContext context, string name, string topic)
    {
        var component = Resolve(name, topic);
        var metadata = QueryMetadata.Of(context.Request);
        var isRaw = IsRaw(metadata);
        List<byte[]> messages;
        List<string> ids;
        try
        {
            using var body = await RequestBody.ReadJsonAsync(context, maxBodyBytes);
            var entries = body.RootElement.EnumerateArray().ToList();
            ids = entries.ConvertAll(entry => GoJson.FindString(entry, "entryId") ?? "");
            if (ids.Exists(id => id.Length == 0) || ids.Distinct(StringComparer.Ordinal).Count() != ids.Count)
            {
                throw new JsonException("entryId is missing or not unique");
            }

            messages = entries.ConvertAll(entry => MessageOf(entry, isRaw, ContextOf(context, name, topic, metadata)));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or DaprErrorException)
        {
            throw new DaprErrorException(400, "ERR_PUBSUB_EVENTS_SER", $"error when unmarshaling the request for topic {topic} pubsub {name}: {e.Message}", e);
        }

        try
        {
            await SendAsync(component, topic, messages);
        }
        catch (DaprErrorException e)
        {
            await context.AnswerJsonAsync(500, FailedEntries(ids, e.Error));
            return;
        }

        await context.AnswerNothingAsync();
    }

    private static byte[] MessageOf(JsonElement entry, bool isRaw, PublishContext context)
    {
        var type = GoJson.FindString(entry, "contentType") ?? "";
        var data = GoJson.Find(entry, "event") ?? throw new JsonException("an entry has no event");
        var media = type.Split(';')[0].Trim().ToLowerInvariant();
        var bytes = media switch
        {
            "application/octet-stream" => data.GetBytesFromBase64(),
            "application/json" => System.Text.Encoding.UTF8.GetBytes(data.GetRawText()),
            _ when media.EndsWith("+json", StringComparison.Ordinal) => System.Text.Encoding.UTF8.GetBytes(data.GetRawText()),
            _ => System.Text.Encoding.UTF8.GetBytes(data.GetString() ?? throw new JsonException("the event of a text entry is a string")),
        };
        var own = new Dictionary<string, string>(context.Metadata, StringComparer.OrdinalIgnoreCase);
        foreach (var (name, value) in GoJson.FindMap(entry, "metadata"))
        {
            own[name] = value;
        }

        return isRaw || IsRaw(own) ? bytes : CloudEvents.Envelope(bytes, type, context with { Metadata = own });
    }

    private static byte[] Envelope(ReadOnlyMemory<byte> body, string? contentType, PublishContext context)
    {
        try
        {
            return CloudEvents.Envelope(body, contentType, context);
        }
        catch (FormatException e)
        {
            throw new DaprErrorException(500, "ERR_PUBSUB_CLOUD_EVENTS_SER", $"error when marshalling cloud event envelope for topic {context.Topic} pubsub {context.PubSub}: {e.Message}", e);
        }
    }

    private static ReadOnlyMemory<byte> FailedEntries(List<string> ids, DaprError error)
    {
        var body = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(body))
        {
            writer.WriteStartObject();
            writer.WriteStartArray("failedEntries"u8);
            foreach (var id in ids)
            {
                writer.WriteStartObject();
                writer.WriteString("entryId"u8, id);
                writer.WriteString("error"u8, error.Message);
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteString("errorCode"u8, error.Code);
            writer.WriteEndObject();
        }

        return body.WrittenMemory;
    }

    private PubSubComponent Resolve(string name, string topic)
    {
        if (components.Count == 0)
        {
            throw Failure(400, "ERR_PUBSUB_NOT_CONFIGURED", "pubsub is not configured", "NOT_CONFIGURED", name);
        }

        var component = components.GetValueOrDefault(name) ?? throw Failure(404, "ERR_PUBSUB_NOT_FOUND", $"pubsub {name} not found", "NOT_FOUND", name);
        if (topic.Length == 0)
        {
            throw Failure(404, "ERR_TOPIC_NAME_EMPTY", $"topic is empty in pubsub {name}", "TOPIC_NAME_EMPTY", name);
        }

        return component.MayPublish(topic) ? component : throw Failure(403, "ERR_PUBSUB_FORBIDDEN", $"topic {topic} is not allowed for app id {appId}", "FORBIDDEN", name);
    }

    private DaprErrorException Failure(int status, string code, string message, string reason, string component, Exception? inner = null) =>
        new(new DaprError(status, code, message) { Details = DaprErrorDetails.OfPubSub(reason, components.GetValueOrDefault(component)?.Resource.Type ?? "pubsub", component, message) }, inner);

    private PublishContext ContextOf(HttpContext context, string name, string topic, IReadOnlyDictionary<string, string> metadata) => new()
    {
        PubSub = name,
        Topic = topic,
        Source = appId,
        Metadata = metadata,
        TraceParent = TraceContext.Of(context),
        TraceState = context.Request.Headers.TraceState.ToString(),
        Now = time.GetUtcNow(),
    };

    private async Task SendAsync(PubSubComponent component, string topic, IReadOnlyList<byte[]> messages)
    {
        try
        {
            await policies.ForPubSubOutbound(component.Name).ExecuteAsync(
                async _ =>
                {
                    await broker.PublishAsync(component.Name, topic, messages);
                    return true;
                },
                CancellationToken.None);
        }
        catch (Exception e) when (e is StorageException or TimeoutException or CircuitOpenException)
        {
            throw Failure(500, "ERR_PUBSUB_PUBLISH_MESSAGE", $"error when publishing to topic {topic} in pubsub {component.Name}: {e.Message}", "PUBLISH_MESSAGE", component.Name, e);
        }
    }
}
