using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Platform.Dapr.Http;

namespace Platform.Dapr.Actors;

/// <summary>Tracks what a turn reads and changes, and saves the changes as one transaction.</summary>
/// <remarks>Not thread-safe: turns of one actor do not overlap.</remarks>
internal sealed class ActorStateManager(ActorApi api, JsonSerializerOptions json, string actorType, string actorId) : IActorStateManager
{
    private readonly Dictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    private enum Change
    {
        None,
        Upsert,
        Delete,
    }

    public async Task<T> GetStateAsync<T>(string stateName, CancellationToken cancellationToken = default)
    {
        var found = await TryGetStateAsync<T>(stateName, cancellationToken);
        return found.HasValue ? found.Value : throw new KeyNotFoundException($"Actor {actorType}/{actorId} has no state '{stateName}'.");
    }

    public async Task<ConditionalValue<T>> TryGetStateAsync<T>(string stateName, CancellationToken cancellationToken = default)
    {
        var entry = await FindAsync(stateName, cancellationToken);
        if (!entry.Exists)
        {
            return default;
        }

        if (entry.Value is null && entry.Raw is { } raw)
        {
            entry.Value = JsonSerializer.Deserialize(raw, TypeOf<T>());
            entry.Raw = null;
        }

        return new ConditionalValue<T>(true, (T)entry.Value!);
    }

    public Task SetStateAsync<T>(string stateName, T value, CancellationToken cancellationToken = default) => SetAsync(stateName, value, null);

    public Task SetStateAsync<T>(string stateName, T value, TimeSpan timeToLive, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(timeToLive, TimeSpan.Zero);
        return SetAsync(stateName, value, timeToLive);
    }

    public async Task AddStateAsync<T>(string stateName, T value, CancellationToken cancellationToken = default)
    {
        if (await ContainsStateAsync(stateName, cancellationToken))
        {
            throw new InvalidOperationException($"Actor {actorType}/{actorId} has a state '{stateName}' already.");
        }

        await SetStateAsync(stateName, value, cancellationToken);
    }

    public async Task RemoveStateAsync(string stateName, CancellationToken cancellationToken = default)
    {
        if (!await TryRemoveStateAsync(stateName, cancellationToken))
        {
            throw new KeyNotFoundException($"Actor {actorType}/{actorId} has no state '{stateName}'.");
        }
    }

    public async Task<bool> TryRemoveStateAsync(string stateName, CancellationToken cancellationToken = default)
    {
        if (!await ContainsStateAsync(stateName, cancellationToken))
        {
            return false;
        }

        _entries[stateName] = new Entry { Exists = false, Change = Change.Delete };
        return true;
    }

    public async Task<bool> ContainsStateAsync(string stateName, CancellationToken cancellationToken = default) => (await FindAsync(stateName, cancellationToken)).Exists;

    public async Task SaveStateAsync(CancellationToken cancellationToken = default)
    {
        var changed = _entries.Where(entry => entry.Value.Change != Change.None).ToList();
        if (changed.Count == 0)
        {
            return;
        }

        await api.SendAsync(HttpMethod.Post, actorType, actorId, "state", JsonBody.Write(changed, WriteTransaction), cancellationToken);
        foreach (var (_, entry) in changed)
        {
            entry.Change = Change.None;
            entry.Write = null;
        }

        foreach (var (name, _) in changed.Where(entry => entry.Value.TimeToLive is not null))
        {
            _entries.Remove(name); // It ends in the store; whoever reads it later must ask there.
        }
    }

    public Task ClearCacheAsync(CancellationToken cancellationToken = default)
    {
        _entries.Clear();
        return Task.CompletedTask;
    }

    private static void WriteTransaction(Utf8JsonWriter writer, List<KeyValuePair<string, Entry>> changed)
    {
        writer.WriteStartArray();
        foreach (var (name, entry) in changed)
        {
            writer.WriteStartObject();
            writer.WriteString("operation"u8, entry.Change == Change.Upsert ? "upsert"u8 : "delete"u8);
            writer.WriteStartObject("request"u8);
            writer.WriteString("key"u8, name);
            if (entry.Write is { } write)
            {
                writer.WritePropertyName("value"u8);
                write(writer);
            }

            if (entry.TimeToLive is { } timeToLive)
            {
                StateItemWriter.WriteMetadata(writer, StateMetadata.TimeToLive(timeToLive));
            }

            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private Task SetAsync<T>(string stateName, T value, TimeSpan? timeToLive)
    {
        var type = TypeOf<T>();
        _entries[stateName] = new Entry { Exists = true, Value = value, Change = Change.Upsert, TimeToLive = timeToLive, Write = writer => JsonSerializer.Serialize(writer, value, type) };
        return Task.CompletedTask;
    }

    private async Task<Entry> FindAsync(string stateName, CancellationToken cancellationToken)
    {
        if (_entries.TryGetValue(stateName, out var known))
        {
            return known;
        }

        using var response = await api.SendForAnswerAsync(HttpMethod.Get, actorType, actorId, "state/" + Uri.EscapeDataString(stateName), null, cancellationToken);
        var entry = response.StatusCode == HttpStatusCode.NoContent
            ? new Entry { Exists = false }
            : new Entry { Exists = true, Raw = await response.Content.ReadAsByteArrayAsync(cancellationToken) };
        if (!response.Headers.Contains("metadata.ttlExpireTime"))
        {
            _entries[stateName] = entry;
        }

        return entry;
    }

    private JsonTypeInfo<T> TypeOf<T>() => json.TryGetTypeInfo(typeof(T), out var type)
        ? (JsonTypeInfo<T>)type
        : throw new InvalidOperationException($"Actor type '{actorType}' keeps a {typeof(T)} as state, which the actors' JsonContext does not know; add [JsonSerializable(typeof({typeof(T).Name}))] to it.");

    private sealed class Entry
    {
        public bool Exists { get; init; }

        public object? Value { get; set; }

        public byte[]? Raw { get; set; }

        public Change Change { get; set; }

        public TimeSpan? TimeToLive { get; init; }

        public Action<Utf8JsonWriter>? Write { get; set; }
    }
}
