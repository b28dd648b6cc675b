using System.Collections.Concurrent;
using System.Globalization;
using Platform.DataPlane;

namespace Platform.Local.Sidecar.PubSub;

/// <summary>A consumer of a topic of a component.</summary>
internal readonly record struct GroupKey(string Component, string Topic, string Consumer)
{
    private const char Separator = '\u001f';

    public override string ToString() => string.Join(Separator, Component, Topic, Consumer);

    public static GroupKey Parse(string text) => text.Split(Separator) is [var component, var topic, var consumer] ? new GroupKey(component, topic, consumer) : default;
}

/// <summary>All topics of the cluster, on disk: a message is there once per consumer group until that group has handled it.</summary>
/// <remarks>
/// A publish is acknowledged when it is durable for every group, in one commit. Groups outlive their apps: what is published while an app is away waits for it.
/// Delivery is at least once.
/// </remarks>
internal sealed class MessageBroker : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);
    private const string Groups = "g/";
    private const string Messages = "m/";
    private const char Separator = '\u001e';
    private readonly DurableStore _store;
    private readonly ILogger _log;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<GroupKey, ConsumerGroup> _groups = new();
    private readonly SemaphoreSlim _changes = new(1);
    private long _sequence;

    public MessageBroker(DurableStore store, ILogger log, TimeProvider time)
    {
        _store = store;
        _log = log;
        _time = time;
        foreach (var key in store.Keys(Groups))
        {
            var group = GroupKey.Parse(key[Groups.Length..]);
            _groups[group] = new ConsumerGroup(this, group, log, time);
        }

        foreach (var key in store.Keys(Messages))
        {
            var mark = key.LastIndexOf(Separator);
            _sequence = Math.Max(_sequence, long.Parse(key.AsSpan(mark + 1), NumberStyles.None, CultureInfo.InvariantCulture));
            _groups.GetValueOrDefault(GroupKey.Parse(key[Messages.Length..mark]))?.Add(key);
        }
    }

    /// <summary>Publishes messages to a topic, all or none; durable on completion.</summary>
    /// <exception cref="StorageException">Nothing was published.</exception>
    public async Task PublishAsync(string component, string topic, IReadOnlyList<byte[]> messages)
    {
        var placed = Place(component, topic, messages);
        if (placed.Count > 0)
        {
            await _store.CommitAsync(placed.ConvertAll(message => new DurableWrite(message.Key, message.Data)));
            foreach (var (group, key, _) in placed)
            {
                group.Add(key);
            }
        }
    }

    /// <summary>Makes sure that a group exists; from then on it misses nothing.</summary>
    public async Task<ConsumerGroup> JoinAsync(GroupKey key)
    {
        await _changes.WaitAsync();
        try
        {
            if (!_groups.TryGetValue(key, out var group))
            {
                await _store.CommitAsync([new DurableWrite(Groups + key, [1])]);
                _groups[key] = group = new ConsumerGroup(this, key, _log, _time);
            }

            return group;
        }
        finally
        {
            _changes.Release();
        }
    }

    /// <summary>Gives up the groups of a consumer that it does not want any more, with what they hold.</summary>
    public async Task LeaveOthersAsync(string consumer, IReadOnlySet<GroupKey> wanted)
    {
        await _changes.WaitAsync();
        try
        {
            foreach (var key in _groups.Keys.Where(key => key.Consumer == consumer && !wanted.Contains(key)).ToList())
            {
                _groups.TryRemove(key, out var group);
                await group!.StopAsync();
                await _store.CommitAsync([new DurableWrite(Groups + key, null), .. _store.Keys($"{Messages}{key}{Separator}").Select(message => new DurableWrite(message, null))]);
            }
        }
        finally
        {
            _changes.Release();
        }
    }

    /// <summary>A message; null if it is settled.</summary>
    public byte[]? Find(string message) => _store.TryGet(message, out var data) ? data : null;

    /// <summary>Settles a message.</summary>
    public ValueTask ForgetAsync(string message) => _store.CommitAsync([new DurableWrite(message, null)]);

    /// <summary>Settles a message and publishes it to another topic in the same commit.</summary>
    public async Task MoveAsync(string message, byte[] data, string component, string topic)
    {
        var placed = Place(component, topic, [data]);
        await _store.CommitAsync([new DurableWrite(message, null), .. placed.Select(copy => new DurableWrite(copy.Key, copy.Data))]);
        foreach (var (group, key, _) in placed)
        {
            group.Add(key);
        }
    }

    /// <summary>Waits a little for the deliveries under way; what is cut off is delivered again at the next start.</summary>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAny(Task.WhenAll(_groups.Values.Select(group => group.StopAsync())), Task.Delay(Patience, _time));
    }

    private List<(ConsumerGroup Group, string Key, byte[] Data)> Place(string component, string topic, IReadOnlyList<byte[]> messages)
    {
        var placed = new List<(ConsumerGroup, string, byte[])>();
        foreach (var (key, group) in _groups)
        {
            if (key.Component == component && key.Topic == topic)
            {
                foreach (var message in messages)
                {
                    placed.Add((group, string.Create(CultureInfo.InvariantCulture, $"{Messages}{key}{Separator}{Interlocked.Increment(ref _sequence):D19}"), message));
                }
            }
        }

        return placed;
    }
}
