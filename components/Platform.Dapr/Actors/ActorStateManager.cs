using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Platform.Dapr.Http;

namespace Platform.Dapr.Actors;

/// <summary>Tracks what a turn reads and changes, and saves the changes as one transaction.</summary>
/// <remarks>
/// Not thread-safe: turns of one actor do not overlap, but for reentrant calls, which run while the turn that made them waits. Each of those has changes of its own,
/// which are saved or dropped with it; the waiting turn's are neither saved early nor lost when it fails.
/// </remarks>
internal sealed class ActorStateManager(ActorApi api, JsonSerializerOptions json, string actorType, string actorId) : IActorStateManager
{
    private readonly AsyncLocal<Turn?> _turn = new();
    private readonly Turn _outermost = new(null);
    private readonly List<Turn> _open = [];

    /// <summary>What the running turn knows.</summary>
    private Dictionary<string, Entry> Entries => (_turn.Value ?? _outermost).Entries;

    /// <summary>Begins a turn for the caller and what it calls; to be ended by disposal. What an outermost turn read is kept for the next.</summary>
    public IDisposable BeginTurn()
    {
        lock (_open)
        {
            var turn = _open is [.., var waiting] ? new Turn(waiting) : _outermost;
            _open.Add(turn);
            _turn.Value = turn;
            return new OpenTurn(_open, turn);
        }
    }

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

        Entries[stateName] = new Entry { Exists = false, Change = Change.Delete };
        return true;
    }

    public async Task<bool> ContainsStateAsync(string stateName, CancellationToken cancellationToken = default) => (await FindAsync(stateName, cancellationToken)).Exists;

    public async Task SaveStateAsync(CancellationToken cancellationToken = default)
    {
        var changed = Entries.Where(entry => entry.Value.Change != Change.None).ToList();
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
            Entries.Remove(name); // It ends in the store; whoever reads it later must ask there.
        }

        _turn.Value?.ForgetInWaitingTurns(changed.Select(entry => entry.Key));
    }

    public Task ClearCacheAsync(CancellationToken cancellationToken = default)
    {
        Entries.Clear();
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
        Entries[stateName] = new Entry { Exists = true, Value = value, Change = Change.Upsert, TimeToLive = timeToLive, Write = writer => JsonSerializer.Serialize(writer, value, type) };
        return Task.CompletedTask;
    }

    private async Task<Entry> FindAsync(string stateName, CancellationToken cancellationToken)
    {
        if (Entries.TryGetValue(stateName, out var known))
        {
            return known;
        }

        using var response = await api.SendForAnswerAsync(HttpMethod.Get, actorType, actorId, "state/" + PathSegment.Escape(stateName), null, cancellationToken);
        var entry = response.StatusCode == HttpStatusCode.NoContent
            ? new Entry { Exists = false }
            : new Entry { Exists = true, Raw = await response.Content.ReadAsByteArrayAsync(cancellationToken) };
        if (!response.Headers.Contains("metadata.ttlExpireTime"))
        {
            Entries[stateName] = entry;
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

    /// <summary>The entries of a turn, and the turn that waits for it.</summary>
    private sealed class Turn(Turn? waiting)
    {
        public Dictionary<string, Entry> Entries { get; } = new(StringComparer.Ordinal);

        public Turn? Waiting => waiting;

        /// <summary>What those turns had only read is read again; what they changed themselves stays as they have it.</summary>
        public void ForgetInWaitingTurns(IEnumerable<string> names)
        {
            foreach (var name in names)
            {
                for (var turn = waiting; turn is not null; turn = turn.Waiting)
                {
                    if (turn.Entries.TryGetValue(name, out var entry) && entry.Change == Change.None)
                    {
                        turn.Entries.Remove(name);
                    }
                }
            }
        }
    }

    private sealed class OpenTurn(List<Turn> open, Turn turn) : IDisposable
    {
        public void Dispose()
        {
            lock (open)
            {
                open.Remove(turn);
            }
        }
    }
}
