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

    private static bool IsRaw(string name, IReadOnlyDictionary<string, string> metadata) => metadata.GetValueOrDefault("rawPayload") switch
    {
        null or "" => false,
        var text when bool.TryParse(text, out var raw) => raw,
        "1" => true,
        "0" => false,
        var text => throw PublishErrors.Metadata(name, metadata, $"rawPayload value must be a valid boolean: actual is '{text}'"),
    };

    private async Task PublishAsync(HttpContext context, string name, string topic)
    {
        var component = Resolve(name, topic);
        ReadOnlyMemory<byte> body;
        try
        {
            body = await RequestBody.ReadAsync(context, maxBodyBytes);
        }
        catch (BodyTooLargeException e)
        {
            throw PublishErrors.Publish(name, topic, e);
        }

        var metadata = QueryMetadata.Of(context.Request);
        var isRaw = IsRaw(name, metadata);

        await SendAsync(component, topic, [isRaw ? body.ToArray() : Envelope(body, context.Request.ContentType, ContextOf(context, name, topic, metadata))]);
        await context.AnswerNothingAsync();
    }

    private async Task PublishBulkAsync(HttpContext context, string name, string topic)
    {
        var component = Resolve(name, topic);
        var metadata = QueryMetadata.Of(context.Request);
        var isRaw = IsRaw(name, metadata);
        List<(string Id, byte[] Message)> entries;
        try
        {
            using var body = await RequestBody.ReadJsonAsync(context, maxBodyBytes);
            entries = Read(body.RootElement, isRaw, ContextOf(context, name, topic, metadata));
        }
        catch (DaprErrorException e) when (e.InnerException is JsonException or BodyTooLargeException)
        {
            throw PublishErrors.UnmarshalEvents(name, topic, appId, e.InnerException);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw PublishErrors.UnmarshalEvents(name, topic, appId, e);
        }

        try
        {
            await SendAsync(component, topic, entries.ConvertAll(entry => entry.Message));
        }
        catch (DaprErrorException e)
        {
            await context.AnswerJsonAsync(500, FailedEntries(entries.ConvertAll(entry => entry.Id), e.Error));
            return;
        }

        await context.AnswerNothingAsync();
    }

    /// <summary>The entries of a bulk request with what goes to the broker for each.</summary>
    private List<(string Id, byte[] Message)> Read(JsonElement body, bool isRaw, PublishContext context)
    {
        var (read, ids) = (new List<(string Id, byte[] Message)>(), new HashSet<string>(StringComparer.Ordinal));
        foreach (var entry in body.EnumerateArray())
        {
            var (data, type) = EventOf(context.PubSub, context.Topic, entry);
            var id = GoJson.FindString(entry, "entryId") ?? "";
            if (id.Length == 0 || !ids.Add(id))
            {
                throw PublishErrors.MarshalEvents(context.PubSub, context.Topic, appId, "entryId is duplicated or not present for entry");
            }

            var metadata = new Dictionary<string, string>(context.Metadata, StringComparer.OrdinalIgnoreCase);
            foreach (var (key, value) in GoJson.FindMap(entry, "metadata"))
            {
                metadata[key] = value;
            }

            read.Add((id, isRaw ? data : Envelope(data, type, context with { Metadata = metadata })));
        }

        return read;
    }

    /// <summary>The bytes that an entry's content type makes of its event.</summary>
    private (byte[] Data, string Type) EventOf(string name, string topic, JsonElement entry)
    {
        var type = GoJson.FindString(entry, "contentType") ?? "";
        var data = GoJson.Find(entry, "event") ?? default;
        var media = type.Split(';')[0].Trim().ToLowerInvariant();
        var isText = data.ValueKind == JsonValueKind.String;
        return media switch
        {
            "application/octet-stream" when isText => data.TryGetBytesFromBase64(out var bytes)
                ? (bytes, type)
                : throw PublishErrors.MarshalEnvelope(name, topic, appId, "error: unable to decode base64 application/octect-stream data"),
            _ when isText && (media.StartsWith("text/", StringComparison.Ordinal) || media == "application/xml") => (System.Text.Encoding.UTF8.GetBytes(data.GetString()!), type),
            _ when media == "application/json" || media.EndsWith("+json", StringComparison.Ordinal) => (data.ValueKind == JsonValueKind.Undefined ? "null"u8.ToArray() : System.Text.Encoding.UTF8.GetBytes(data.GetRawText()), type),
            _ => throw PublishErrors.MarshalEnvelope(name, topic, appId, "error: mismatch between contentType and event"),
        };
    }

    private byte[] Envelope(ReadOnlyMemory<byte> body, string? contentType, PublishContext context)
    {
        try
        {
            return CloudEvents.Envelope(body, contentType, context);
        }
        catch (FormatException e)
        {
            throw PublishErrors.CloudEvent(context.PubSub, appId, e);
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
        var component = components.GetValueOrDefault(name) ?? throw PublishErrors.NotFound(name);
        if (topic.Length == 0)
        {
            throw PublishErrors.TopicEmpty(name);
        }

        return component.MayPublish(topic) ? component : throw PublishErrors.Forbidden(name, topic, appId);
    }

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
            throw PublishErrors.Publish(component.Name, topic, e);
        }
    }
}
