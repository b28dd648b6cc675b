using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Platform.Local.Sidecar.PubSub;

/// <summary>What a publisher said about a message.</summary>
internal sealed record PublishContext
{
    public required string PubSub { get; init; }

    public required string Topic { get; init; }

    /// <summary>App id of the publisher.</summary>
    public required string Source { get; init; }

    /// <summary><c>metadata.*</c>, names in any case.</summary>
    public required IReadOnlyDictionary<string, string> Metadata { get; init; }

    public string TraceParent { get; init; } = "";

    public string TraceState { get; init; } = "";

    public required DateTimeOffset Now { get; init; }
}

/// <summary>CloudEvents 1.0 envelopes as daprd makes them.</summary>
internal static class CloudEvents
{
    public const string ContentType = "application/cloudevents+json";

    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The bytes for the broker: the envelope around the data, or the envelope that the publisher sent, completed.</summary>
    /// <exception cref="FormatException">It was sent as an envelope and is none.</exception>
    public static byte[] Envelope(ReadOnlyMemory<byte> data, string? contentType, PublishContext context)
    {
        var type = string.IsNullOrEmpty(contentType) ? "text/plain" : contentType;
        return MediaType(type) == ContentType ? Complete(data, context) : Wrap(data, type, context);
    }

    /// <summary>The envelope for an app that subscribes to raw payloads.</summary>
    public static byte[] OfRaw(ReadOnlySpan<byte> data, string pubsub, string topic)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, Plain))
        {
            writer.WriteStartObject();
            writer.WriteString("id"u8, Guid.NewGuid().ToString());
            writer.WriteString("specversion"u8, "1.0"u8);
            writer.WriteString("datacontenttype"u8, "application/octet-stream"u8);
            writer.WriteString("source"u8, "Dapr"u8);
            writer.WriteString("type"u8, "com.dapr.event.sent"u8);
            writer.WriteString("topic"u8, topic);
            writer.WriteString("pubsubname"u8, pubsub);
            writer.WriteBase64String("data_base64"u8, data);
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static string MediaType(string contentType) => contentType.Split(';')[0].Trim().ToLowerInvariant();

    private static byte[] Wrap(ReadOnlyMemory<byte> data, string contentType, PublishContext context)
    {
        var buffer = new ArrayBufferWriter<byte>(data.Length + 512);
        using (var writer = new Utf8JsonWriter(buffer, Plain))
        {
            string Override(string name, string otherwise) => context.Metadata.GetValueOrDefault("cloudevent." + name) ?? otherwise;

            writer.WriteStartObject();
            writer.WriteString("specversion"u8, "1.0"u8);
            writer.WriteString("id"u8, Override("id", Guid.NewGuid().ToString()));
            writer.WriteString("source"u8, Override("source", context.Source));
            writer.WriteString("type"u8, Override("type", "com.dapr.event.sent"));
            writer.WriteString("datacontenttype"u8, contentType);
            writer.WriteString("topic"u8, context.Topic);
            writer.WriteString("pubsubname"u8, context.PubSub);
            writer.WriteString("time"u8, Rfc3339(context.Now));
            writer.WriteString("traceid"u8, Override("traceid", context.TraceParent));
            writer.WriteString("traceparent"u8, Override("traceparent", context.TraceParent));
            writer.WriteString("tracestate"u8, Override("tracestate", context.TraceState));
            if (context.Metadata.GetValueOrDefault("cloudevent.subject") is { } subject)
            {
                writer.WriteString("subject"u8, subject);
            }

            if (ExpirationOf(context) is { } expiration)
            {
                writer.WriteString("expiration"u8, expiration);
            }

            WriteData(writer, data, MediaType(contentType));
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static void WriteData(Utf8JsonWriter writer, ReadOnlyMemory<byte> data, string mediaType)
    {
        if (mediaType is "application/octet-stream" or "application/cloudevents+protobuf")
        {
            writer.WriteBase64String("data_base64"u8, data.Span);
            return;
        }

        if (mediaType == "application/json" || mediaType.EndsWith("+json", StringComparison.Ordinal))
        {
            try
            {
                using var json = LenientJson.Parse(data);
                writer.WritePropertyName("data"u8);
                json.RootElement.WriteTo(writer);
                return;
            }
            catch (JsonException)
            {
                // Not JSON after all: it goes as a text.
            }
        }

        writer.WriteString("data"u8, Encoding.UTF8.GetString(data.Span));
    }

    private static byte[] Complete(ReadOnlyMemory<byte> envelope, PublishContext context)
    {
        try
        {
            using var json = LenientJson.Parse(envelope);
            if (json.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new FormatException("the CloudEvent is no JSON object");
            }

            var buffer = new ArrayBufferWriter<byte>(envelope.Length + 256);
            using (var writer = new Utf8JsonWriter(buffer, Plain))
            {
                var given = json.RootElement.EnumerateObject().Where(property => property.Name is not ("topic" or "pubsubname")).ToList();
                writer.WriteStartObject();
                foreach (var property in given)
                {
                    property.WriteTo(writer);
                }

                writer.WriteString("topic"u8, context.Topic);
                writer.WriteString("pubsubname"u8, context.PubSub);
                foreach (var (name, value) in Defaults(context))
                {
                    if (!given.Exists(property => property.Name == name))
                    {
                        writer.WriteString(name, value);
                    }
                }

                writer.WriteEndObject();
            }

            return buffer.WrittenSpan.ToArray();
        }
        catch (JsonException e)
        {
            throw new FormatException(e.Message, e);
        }
    }

    private static IEnumerable<(string Name, string Value)> Defaults(PublishContext context)
    {
        yield return ("specversion", "1.0");
        yield return ("id", Guid.NewGuid().ToString());
        yield return ("source", "Dapr");
        yield return ("type", "com.dapr.event.sent");
        yield return ("time", Rfc3339(context.Now));
        yield return ("traceid", context.TraceParent);
        yield return ("traceparent", context.TraceParent);
        yield return ("tracestate", context.TraceState);
        if (ExpirationOf(context) is { } expiration)
        {
            yield return ("expiration", expiration);
        }
    }

    private static string? ExpirationOf(PublishContext context) =>
        context.Metadata.GetValueOrDefault("ttlInSeconds") is { } text && long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds > 0
            ? Rfc3339(context.Now.AddSeconds(Math.Min(seconds, int.MaxValue)))
            : null;

    private static string Rfc3339(DateTimeOffset moment) => moment.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
}
