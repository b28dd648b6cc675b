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

/// <summary>How much a read or write waits for.</summary>
public enum StateConsistency
{
    /// <summary>Whatever replica answers first.</summary>
    Eventual,

    /// <summary>What a majority has.</summary>
    Strong,
}

/// <summary>Metadata that state stores understand.</summary>
public static class StateMetadata
{
    /// <summary>The key ends after this long; whole seconds, at least one.</summary>
    public static IReadOnlyDictionary<string, string> TimeToLive(TimeSpan timeToLive) => new Dictionary<string, string>
    {
        ["ttlInSeconds"] = ((long)Math.Max(1, Math.Ceiling(timeToLive.TotalSeconds))).ToString(System.Globalization.CultureInfo.InvariantCulture),
    };
}

/// <summary>One item of a bulk save.</summary>
/// <param name="Key">The key.</param>
/// <param name="Value">What is written.</param>
/// <param name="ETag">The ETag that must still hold; null: none.</param>
/// <param name="Concurrency">How concurrent writers are settled; null: the last wins.</param>
/// <param name="Consistency">What the write waits for; null: as the store does by default.</param>
/// <param name="Metadata">For example <see cref="StateMetadata.TimeToLive"/>.</param>
public sealed record SaveStateItem<T>(
    string Key, T Value, string? ETag = null, StateConcurrency? Concurrency = null, StateConsistency? Consistency = null, IReadOnlyDictionary<string, string>? Metadata = null);

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
    public static void WriteItem<T>(Utf8JsonWriter writer, SaveStateItem<T> item, JsonTypeInfo<T> type)
    {
        writer.WriteStartObject();
        writer.WriteString("key"u8, item.Key);
        writer.WritePropertyName("value"u8);
        JsonSerializer.Serialize(writer, item.Value, type);
        if (item.ETag is not null)
        {
            writer.WriteString("etag"u8, item.ETag);
        }

        if (item.Concurrency is not null || item.Consistency is not null)
        {
            writer.WriteStartObject("options"u8);
            if (item.Concurrency is { } concurrency)
            {
                writer.WriteString("concurrency"u8, concurrency == StateConcurrency.FirstWrite ? "first-write"u8 : "last-write"u8);
            }

            if (item.Consistency is { } consistency)
            {
                writer.WriteString("consistency"u8, NameOf(consistency));
            }

            writer.WriteEndObject();
        }

        WriteMetadata(writer, item.Metadata);
        writer.WriteEndObject();
    }

    public static string NameOf(StateConsistency consistency) => consistency == StateConsistency.Strong ? "strong" : "eventual";

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
