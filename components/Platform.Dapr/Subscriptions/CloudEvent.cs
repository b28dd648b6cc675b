using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Platform.Dapr.Subscriptions;

/// <summary>One event of a topic: the CloudEvent around it, and its data.</summary>
/// <typeparam name="T">Type of the data.</typeparam>
public sealed record CloudEvent<T>
{
    /// <summary>Id of the event; the same in every delivery of it.</summary>
    public required string Id { get; init; }

    /// <summary>App id of the publisher, unless it said otherwise.</summary>
    public string Source { get; init; } = "";

    /// <summary>Type of the event; <c>com.dapr.event.sent</c> unless the publisher said otherwise.</summary>
    public string Type { get; init; } = "";

    /// <summary>Subject, if the publisher gave one.</summary>
    public string? Subject { get; init; }

    /// <summary>Content type of the data.</summary>
    public string? DataContentType { get; init; }

    /// <summary>The topic to which it was published; of a dead letter the first one.</summary>
    public string? Topic { get; init; }

    /// <summary>Component through which it was published.</summary>
    public string? PubsubName { get; init; }

    /// <summary>When it was published, if the envelope says so.</summary>
    public DateTimeOffset? Time { get; init; }

    /// <summary>W3C trace context of the publisher; null or empty without tracing.</summary>
    public string? TraceParent { get; init; }

    /// <summary>The data; default if there are none.</summary>
    public T? Data { get; init; }
}

/// <summary>Reads CloudEvents in structured JSON.</summary>
internal static class CloudEventReader
{
    /// <exception cref="JsonException">It is no CloudEvent, or its data are not of this type.</exception>
    public static CloudEvent<T> Read<T>(JsonElement envelope, JsonTypeInfo<T> type)
    {
        if (envelope.ValueKind != JsonValueKind.Object || Text(envelope, "id") is not { Length: > 0 } id)
        {
            throw new JsonException("the body is no CloudEvent: it has no 'id'");
        }

        return new CloudEvent<T>
        {
            Id = id,
            Source = Text(envelope, "source") ?? "",
            Type = Text(envelope, "type") ?? "",
            Subject = Text(envelope, "subject"),
            DataContentType = Text(envelope, "datacontenttype"),
            Topic = Text(envelope, "topic"),
            PubsubName = Text(envelope, "pubsubname"),
            Time = DateTimeOffset.TryParse(Text(envelope, "time"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null,
            TraceParent = Text(envelope, "traceparent"),
            Data = DataOf(envelope, type),
        };
    }

    /// <summary>The data as bytes, and their content type: JSON data as JSON, a text as its bytes, <c>data_base64</c> decoded. Null if there are none.</summary>
    public static (byte[] Bytes, string ContentType)? RawDataOf(JsonElement envelope)
    {
        var contentType = Text(envelope, "datacontenttype");
        if (envelope.TryGetProperty("data_base64", out var base64) && base64.ValueKind == JsonValueKind.String)
        {
            return (base64.TryGetBytesFromBase64(out var bytes) ? bytes : throw new JsonException("data_base64 is no base64"), contentType ?? "application/octet-stream");
        }

        if (!envelope.TryGetProperty("data", out var data))
        {
            return null;
        }

        return data.ValueKind == JsonValueKind.String && contentType is not null && !IsJson(contentType)
            ? (Encoding.UTF8.GetBytes(data.GetString()!), contentType)
            : (Encoding.UTF8.GetBytes(data.GetRawText()), contentType is not null && IsJson(contentType) ? contentType : "application/json");
    }

    private static bool IsJson(string contentType) =>
        contentType.Split(';')[0].Trim() is var media && (media.Equals("application/json", StringComparison.OrdinalIgnoreCase) || media.EndsWith("+json", StringComparison.OrdinalIgnoreCase));

    private static T? DataOf<T>(JsonElement envelope, JsonTypeInfo<T> type)
    {
        if (envelope.TryGetProperty("data", out var data) && data.ValueKind != JsonValueKind.Null)
        {
            return data.Deserialize(type);
        }

        if (RawDataOf(envelope) is not { } raw)
        {
            return default;
        }

        // Bytes are handed over as they are; to any other type they are JSON that was published raw.
        return typeof(T) == typeof(byte[]) ? (T)(object)raw.Bytes : JsonSerializer.Deserialize(raw.Bytes, type);
    }

    private static string? Text(JsonElement envelope, string name) => envelope.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
