using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Platform.Dapr.Subscriptions;

/// <summary>One event of a bulk delivery.</summary>
/// <param name="EntryId">Names it in the answer.</param>
/// <param name="Event">The event; null if it could not be read, which <paramref name="Error"/> says.</param>
/// <param name="Error">Why it could not be read; null if it could.</param>
public sealed record BulkEvent<T>(string EntryId, CloudEvent<T>? Event, string? Error);

/// <summary>Bulk deliveries on the wire.</summary>
internal static class BulkEvents
{
    /// <exception cref="JsonException">The body is no bulk delivery at all.</exception>
    public static List<BulkEvent<T>> Read<T>(JsonElement body, JsonTypeInfo<T> type)
    {
        if (body.ValueKind != JsonValueKind.Object || !body.TryGetProperty("entries", out var entries) || entries.ValueKind != JsonValueKind.Array)
        {
            throw new JsonException("the body has no 'entries'");
        }

        return [.. entries.EnumerateArray().Select(entry => ReadEntry(entry, type))];
    }

    /// <summary>The answer: one status per entry.</summary>
    public static ReadOnlyMemory<byte> Answer(IEnumerable<(string EntryId, TopicStatus Status)> statuses)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteStartArray("statuses"u8);
            foreach (var (entryId, status) in statuses)
            {
                writer.WriteStartObject();
                writer.WriteString("entryId"u8, entryId);
                writer.WriteString("status"u8, status switch { TopicStatus.Success => "SUCCESS"u8, TopicStatus.Retry => "RETRY"u8, _ => "DROP"u8 });
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return buffer.WrittenMemory;
    }

    private static BulkEvent<T> ReadEntry<T>(JsonElement entry, JsonTypeInfo<T> type)
    {
        var id = entry.GetProperty("entryId").GetString() ?? throw new JsonException("an entry has no 'entryId'");
        try
        {
            var content = entry.GetProperty("event");
            return content.ValueKind == JsonValueKind.String
                ? new BulkEvent<T>(id, new CloudEvent<T> { Id = id, Data = RawOf(content, type) }, null)
                : new BulkEvent<T>(id, CloudEventReader.Read(content, type), null);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or FormatException)
        {
            return new BulkEvent<T>(id, null, e.Message);
        }
    }

    /// <summary>A raw event is a base64 text.</summary>
    private static T? RawOf<T>(JsonElement text, JsonTypeInfo<T> type)
    {
        var bytes = text.GetBytesFromBase64();
        return typeof(T) == typeof(byte[]) ? (T)(object)bytes : JsonSerializer.Deserialize(bytes, type);
    }
}
