using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;
using Platform.DataPlane;

namespace Platform.Local.Sidecar.PubSub;

/// <summary>A consumer of a topic of a component.</summary>
/// <param name="Component">The component.</param>
/// <param name="Topic">The topic; of a wildcard all topics that begin like it up to the star.</param>
/// <param name="Consumer">The consumer.</param>
/// <param name="IsWildcard">True if a star at the end of the topic stands for any rest.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct GroupKey(string Component, string Topic, string Consumer, bool IsWildcard = false)
{
    private const char Separator = '\u001f';

    public override string ToString() => string.Join(Separator, IsWildcard ? [Component, Topic, Consumer, "*"] : [Component, Topic, Consumer]);

    /// <summary>Whether a message of this topic is for the group.</summary>
    public bool Takes(string topic) => Topic == topic || (IsWildcard && topic.AsSpan().StartsWith(Topic.AsSpan(0, Topic.Length - 1), StringComparison.Ordinal));

    public static GroupKey Parse(string text) => text.Split(Separator) is [var component, var topic, var consumer, .. var rest] ? new GroupKey(component, topic, consumer, rest is ["*"]) : default;
}

/// <summary>All topics of the cluster, on disk: a message is there once per consumer group until that group has handled it.</summary>
/// <remarks>
/// A publish is acknowledged when it is durable for every group, in one commit. Groups outlive their apps: what is published while an app is away waits for it.
/// Delivery is at least once. It begins while the message is on its way to the disk: a publish that fails then, or is cut off by a crash, was not acknowledged and may
/// have been delivered all the same, as with any broker. After a failed commit nothing is delivered before it is durable, until a commit succeeds again. That a message was handled is written with the next publish, or after 50 ms: a publish does not wait for the end of the one before,
/// and a crash in between costs a second delivery.
/// </remarks>
internal sealed class MessageBroker : IAsyncDisposable
{
    private const int MaxUnwritten = 1024;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan WriteAfter = TimeSpan.FromMilliseconds(50);
    private const string Groups = "g/";
    private const string Messages = "m/";
    private const char Separator = '\u001e';
    private readonly DurableStore _store;
    private readonly ILogger _log;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<GroupKey, ConsumerGroup> _groups = new();
    private readonly ConcurrentDictionary<string, byte[]> _onTheWay = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim _changes = new(1);
    private readonly Lock _gate = new();
    private readonly ITimer _timer;
    private List<DurableWrite> _forgotten = [];
    private long _sequence;
    private volatile bool _lastCommitFailed;

    public MessageBroker(DurableStore store, ILogger log, TimeProvider time)
    {
        _store = store;
        _log = log;
        _time = time;
        _timer = time.CreateTimer(_ => _ = WriteForgottenAsync(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
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
        if (placed.Count == 0)
        {
            return;
        }

        foreach (var (_, key, data) in placed)
        {
            _onTheWay[key] = data;
        }

        try
        {
            // The commit has its place in the log when the call returns: that a message was handled can only come behind it.
            var commit = CommitAsync(placed.ConvertAll(message => new DurableWrite(message.Key, message.Data)));
            var isEarly = !commit.IsCompleted && !_lastCommitFailed;
            if (isEarly)
            {
                Deliver(placed);
            }

            await commit;
            if (!isEarly)
            {
                Deliver(placed);
            }
        }
        finally
        {
            foreach (var (_, key, _) in placed)
            {
                _onTheWay.TryRemove(key, out var _);
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
    /// <param name="consumer">The consumer: an app that shares its groups with nobody.</param>
    /// <param name="wanted">Those that stay.</param>
    /// <param name="shared">Components whose groups stay in any case.</param>
    public async Task LeaveOthersAsync(string consumer, IReadOnlySet<GroupKey> wanted, IReadOnlySet<string> shared)
    {
        await _changes.WaitAsync();
        try
        {
            foreach (var key in _groups.Keys.Where(key => key.Consumer == consumer && !shared.Contains(key.Component) && !wanted.Contains(key)).ToList())
            {
                _groups.TryRemove(key, out var group);
                await group!.StopAsync();
                var prefix = $"{Messages}{key}{Separator}";
                var messages = _onTheWay.Keys.Where(message => message.StartsWith(prefix, StringComparison.Ordinal)).Union(_store.Keys(prefix), StringComparer.Ordinal);
                await CommitAsync([new DurableWrite(Groups + key, null), .. messages.Select(message => new DurableWrite(message, null))]);
            }
        }
        finally
        {
            _changes.Release();
        }
    }

    /// <summary>A message; null if it is settled, or was never acknowledged.</summary>
    public byte[]? Find(string message) => _onTheWay.TryGetValue(message, out var data) || _store.TryGet(message, out data) ? data : null;

    /// <summary>Settles a message: it is not delivered again in this life of the broker, and soon in none.</summary>
    public void Forget(string message)
    {
        bool isFirst;
        bool isFull;
        lock (_gate)
        {
            _forgotten.Add(new DurableWrite(message, null));
            isFirst = _forgotten.Count == 1;
            isFull = _forgotten.Count == MaxUnwritten;
        }

        if (isFirst || isFull)
        {
            _timer.Change(isFull ? TimeSpan.Zero : WriteAfter, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Settles a message and publishes it to another topic in the same commit.</summary>
    public async Task MoveAsync(string message, byte[] data, string component, string topic)
    {
        var placed = Place(component, topic, [data]);
        await CommitAsync([new DurableWrite(message, null), .. placed.Select(copy => new DurableWrite(copy.Key, copy.Data))]);
        Deliver(placed);
    }

    /// <summary>Waits a little for the deliveries under way; what is cut off is delivered again at the next start.</summary>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAny(Task.WhenAll(_groups.Values.Select(group => group.StopAsync())), Task.Delay(Patience, _time));
        await _timer.DisposeAsync();
        await WriteForgottenAsync();
    }

    /// <summary>Commits, and what was forgotten since the last commit with it.</summary>
    private async Task CommitAsync(List<DurableWrite> writes)
    {
        List<DurableWrite> forgotten;
        lock (_gate)
        {
            (forgotten, _forgotten) = (_forgotten, []);
        }

        try
        {
            await _store.CommitAsync(forgotten.Count == 0 ? writes : [.. forgotten, .. writes]);
            _lastCommitFailed = false;
        }
        catch
        {
            _lastCommitFailed = true;
            lock (_gate)
            {
                _forgotten.AddRange(forgotten);
            }

            throw;
        }
    }

    private async Task WriteForgottenAsync()
    {
        try
        {
            await CommitAsync([]);
        }
        catch (Exception e) when (e is StorageException or ObjectDisposedException)
        {
            PubSubLog.ForgottenNotWritten(_log, e);
            _timer.Change(TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);
        }
    }

    private static void Deliver(List<(ConsumerGroup Group, string Key, byte[] Data)> placed)
    {
        foreach (var (group, key, _) in placed)
        {
            group.Add(key);
        }
    }

    private List<(ConsumerGroup Group, string Key, byte[] Data)> Place(string component, string topic, IReadOnlyList<byte[]> messages)
    {
        var placed = new List<(ConsumerGroup, string, byte[])>();
        foreach (var (key, group) in _groups)
        {
            if (key.Component == component && key.Takes(topic))
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
