using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Platform.Dapr;

/// <summary>How concurrent writers of one key are settled.</summary>
public enum StateConcurrency
{
    /// <summary>The last writer wins; an ETag is not needed.</summary>
    LastWrite,

    /// <summary>The first writer wins: without an ETag the key must not exist.</summary>
    FirstWrite,
}

/// <summary>One item of a bulk get.</summary>
/// <param name="Key">The key asked for.</param>
/// <param name="Value">Its value; default if the key is absent.</param>
/// <param name="ETag">Its ETag; null if the key is absent.</param>
/// <param name="Error">Why this key could not be read; null if it could, or is absent.</param>
public sealed record BulkStateItem<T>(string Key, T? Value, string? ETag, string? Error);

/// <summary>One operation of a state transaction.</summary>
public sealed class StateTransactionRequest
{
    private readonly Action<Utf8JsonWriter>? _writeValue;

    private StateTransactionRequest(string key, string? etag, IReadOnlyDictionary<string, string>? metadata, Action<Utf8JsonWriter>? writeValue)
    {
        Key = key;
        ETag = etag;
        Metadata = metadata;
        _writeValue = writeValue;
    }

    /// <summary>The key that is written or deleted.</summary>
    public string Key { get; }

    /// <summary>The ETag that must still hold; null: none.</summary>
    public string? ETag { get; }

    /// <summary>For example <c>ttlInSeconds</c>.</summary>
    public IReadOnlyDictionary<string, string>? Metadata { get; }

    internal bool IsDelete => _writeValue is null;

    /// <summary>Writes a value.</summary>
    public static StateTransactionRequest Upsert<T>(string key, T value, JsonTypeInfo<T> type, string? etag = null, IReadOnlyDictionary<string, string>? metadata = null) =>
        new(key, etag, metadata, writer => JsonSerializer.Serialize(writer, value, type));

    /// <summary>Deletes a key.</summary>
    public static StateTransactionRequest Delete(string key, string? etag = null) => new(key, etag, null, null);

    internal void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartObject();
        writer.WriteString("operation"u8, IsDelete ? "delete"u8 : "upsert"u8);
        writer.WriteStartObject("request"u8);
        writer.WriteString("key"u8, Key);
        if (_writeValue is not null)
        {
            writer.WritePropertyName("value"u8);
            _writeValue(writer);
        }

        if (ETag is not null)
        {
            writer.WriteString("etag"u8, ETag);
        }

        StateItemWriter.WriteMetadata(writer, Metadata);
        writer.WriteEndObject();
        writer.WriteEndObject();
    }
}

/// <summary>Writes the parts that items of all state requests share.</summary>
internal static class StateItemWriter
{
    public static void WriteMetadata(Utf8JsonWriter writer, IReadOnlyDictionary<string, string>? metadata)
    {
        if (metadata is { Count: > 0 })
        {
            writer.WriteStartObject("metadata"u8);
            foreach (var (name, value) in metadata)
            {
                writer.WriteString(name, value);
            }

            writer.WriteEndObject();
        }
    }
}
