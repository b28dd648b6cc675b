using System.Buffers;
using System.Net;
using System.Text.Encodings.Web;
using System.Text.Json;
using Platform.Local.Sidecar.App;
using Platform.Local.Sidecar.Expressions;
using Platform.Local.Sidecar.Http;
using Platform.Local.Sidecar.Resiliency;

namespace Platform.Local.Sidecar.PubSub;

/// <summary>One live subscription: brings messages to the app and reads its answers.</summary>
internal sealed class Subscriber(Subscription subscription, PubSubComponent component, AppChannel app, ResiliencyPolicy policy, ILogger log, TimeProvider time)
{
    public Subscription Subscription => subscription;

    public PubSubComponent Component => component;

    /// <summary>Delivers one message.</summary>
    public async Task<DeliveryOutcome> DeliverAsync(byte[] message)
    {
        var envelope = subscription.IsRaw ? CloudEvents.OfRaw(message, subscription.PubSub, subscription.Topic) : message;
        using var json = Parse(envelope);
        if (json is null)
        {
            PubSubLog.DeliveryFailed(log, subscription.Topic, app.AppId, "it is no CloudEvent, and the subscription is not for raw payloads");
            return DeliveryOutcome.Retry;
        }

        if (IsExpired(json.RootElement))
        {
            return DeliveryOutcome.Drop;
        }

        try
        {
            return subscription.RouteOf(json.RootElement) is { } route
                ? await CallAsync(route, () => Content(envelope, CloudEvents.ContentType), TraceOf(json.RootElement), ReadAnswerAsync)
                : DeliveryOutcome.Drop;
        }
        catch (CelException e)
        {
            PubSubLog.RouteFailed(log, subscription.Topic, app.AppId, e.Message);
            return DeliveryOutcome.Retry;
        }
    }

    /// <summary>Delivers several messages in one call per route.</summary>
    /// <returns>One outcome per message, in their order.</returns>
    public async Task<DeliveryOutcome[]> DeliverAsync(IReadOnlyList<byte[]> messages)
    {
        var outcomes = new DeliveryOutcome[messages.Count];
        var routes = new Dictionary<string, List<int>>(StringComparer.Ordinal);
        for (var i = 0; i < messages.Count; i++)
        {
            using var json = Parse(subscription.IsRaw ? CloudEvents.OfRaw(messages[i], subscription.PubSub, subscription.Topic) : messages[i]);
            try
            {
                outcomes[i] = json is null ? DeliveryOutcome.Retry : DeliveryOutcome.Drop;
                if (json is not null && !IsExpired(json.RootElement) && subscription.RouteOf(json.RootElement) is { } route)
                {
                    (routes.TryGetValue(route, out var entries) ? entries : routes[route] = []).Add(i);
                }
            }
            catch (CelException e)
            {
                PubSubLog.RouteFailed(log, subscription.Topic, app.AppId, e.Message);
                outcomes[i] = DeliveryOutcome.Retry;
            }
        }

        foreach (var (route, entries) in routes)
        {
            await DeliverBatchAsync(route, entries, messages, outcomes);
        }

        return outcomes;
    }

    /// <summary>A batch to one route; with a retry policy, only the entries that were not handled are sent again.</summary>
    private async Task DeliverBatchAsync(string route, List<int> entries, IReadOnlyList<byte[]> messages, DeliveryOutcome[] outcomes)
    {
        var left = entries;
        var last = await CallAsync(
            route,
            () => Content(BulkBody(left, messages), "application/json"),
            null,
            async response =>
            {
                var statuses = await ReadStatusesAsync(response);
                foreach (var i in left)
                {
                    outcomes[i] = statuses is null
                        ? response.StatusCode == HttpStatusCode.NotFound ? DeliveryOutcome.Success : DeliveryOutcome.Retry
                        : statuses.GetValueOrDefault(EntryId(i), DeliveryOutcome.Retry);
                }

                left = left.FindAll(i => outcomes[i] == DeliveryOutcome.Retry);
                return left.Count == 0 ? DeliveryOutcome.Success : DeliveryOutcome.Retry;
            });
        if (last is DeliveryOutcome.Away or DeliveryOutcome.Retry)
        {
            foreach (var i in left)
            {
                outcomes[i] = last;
            }
        }
    }

    private static string EntryId(int index) => index.ToString();

    private static JsonDocument? Parse(byte[] envelope)
    {
        try
        {
            var json = LenientJson.Parse(envelope);
            if (json.RootElement.ValueKind == JsonValueKind.Object)
            {
                return json;
            }

            json.Dispose();
            return null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string? TraceOf(JsonElement envelope) => envelope.TryGetProperty("traceparent", out var trace) && trace.ValueKind == JsonValueKind.String ? trace.GetString() : null;

    private static ReadOnlyMemoryContent Content(ReadOnlyMemory<byte> body, string type)
    {
        var content = new ReadOnlyMemoryContent(body);
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        return content;
    }

    private static async Task<DeliveryOutcome> ReadAnswerAsync(HttpResponseMessage response)
    {
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            return DeliveryOutcome.Drop;
        }

        if (!response.IsSuccessStatusCode)
        {
            return DeliveryOutcome.Retry;
        }

        try
        {
            using var json = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync());
            return GoJson.FindString(json.RootElement, "status") switch
            {
                null or "" or "SUCCESS" => DeliveryOutcome.Success,
                "DROP" => DeliveryOutcome.Drop,
                _ => DeliveryOutcome.Retry,
            };
        }
        catch (JsonException)
        {
            return DeliveryOutcome.Success; // An empty body, or one of the app's own.
        }
    }

    /// <summary>Statuses by entry; null if the answer as a whole is a failure or unreadable.</summary>
    private static async Task<Dictionary<string, DeliveryOutcome>?> ReadStatusesAsync(HttpResponseMessage response)
    {
        if (!response.IsSuccessStatusCode)
        {
            return null;
        }

        try
        {
            using var json = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync());
            if (GoJson.Find(json.RootElement, "statuses") is not { ValueKind: JsonValueKind.Array } statuses)
            {
                return null;
            }

            return statuses.EnumerateArray().Where(status => GoJson.FindString(status, "entryId") is not null).ToDictionary(
                status => GoJson.FindString(status, "entryId")!,
                status => GoJson.FindString(status, "status") switch
                {
                    "SUCCESS" => DeliveryOutcome.Success,
                    "DROP" => DeliveryOutcome.Drop,
                    _ => DeliveryOutcome.Retry,
                },
                StringComparer.Ordinal);
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            return null;
        }
    }

    private bool IsExpired(JsonElement envelope) =>
        envelope.TryGetProperty("expiration", out var end) && end.ValueKind == JsonValueKind.String && end.TryGetDateTimeOffset(out var moment) && moment < time.GetUtcNow();

    private async Task<DeliveryOutcome> CallAsync(string route, Func<HttpContent> content, string? trace, Func<HttpResponseMessage, Task<DeliveryOutcome>> read)
    {
        try
        {
            return await policy.ExecuteAsync(
                async cancellationToken =>
                {
                    using var slot = await app.EnterAsync(cancellationToken);
                    using var request = new HttpRequestMessage(HttpMethod.Post, app.AddressOf(route)) { Content = content() };
                    request.Headers.TryAddWithoutValidation("pubsubname", subscription.PubSub);
                    if (!string.IsNullOrEmpty(trace))
                    {
                        request.Headers.TryAddWithoutValidation(TraceContext.Header, trace);
                    }

                    using var response = await app.SendAsync(request, cancellationToken);
                    return await read(response);
                },
                outcome => outcome == DeliveryOutcome.Retry ? 500 : null,
                _ => { },
                mayRepeat: true,
                CancellationToken.None);
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConnectionError)
        {
            return DeliveryOutcome.Away;
        }
        catch (Exception e) when (e is HttpRequestException or TimeoutException or CircuitOpenException or OperationCanceledException)
        {
            PubSubLog.DeliveryFailed(log, subscription.Topic, app.AppId, e.Message);
            return DeliveryOutcome.Retry;
        }
    }

    private byte[] BulkBody(List<int> entries, IReadOnlyList<byte[]> messages)
    {
        var body = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(body, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            writer.WriteString("id"u8, Guid.NewGuid().ToString());
            writer.WriteString("pubsubname"u8, subscription.PubSub);
            writer.WriteString("topic"u8, subscription.Topic);
            writer.WriteString("type"u8, "com.dapr.event.sent.bulk"u8);
            writer.WriteStartObject("metadata"u8);
            writer.WriteEndObject();
            writer.WriteStartArray("entries"u8);
            foreach (var i in entries)
            {
                writer.WriteStartObject();
                writer.WriteString("entryId"u8, EntryId(i));
                writer.WriteString("contentType"u8, subscription.IsRaw ? "application/octet-stream" : CloudEvents.ContentType);
                if (subscription.IsRaw)
                {
                    writer.WriteBase64String("event"u8, messages[i]);
                }
                else
                {
                    writer.WritePropertyName("event"u8);
                    writer.WriteRawValue(messages[i], skipInputValidation: true);
                }

                writer.WriteStartObject("metadata"u8);
                writer.WriteEndObject();
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return body.WrittenSpan.ToArray();
    }
}
