using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Platform.DataPlane;

namespace Platform.Local.FunctionsHost.Queues;

/// <summary>A durable queue in this process. A waiting reader learns of a new message at once.</summary>
/// <remarks>
/// A send is acknowledged when it is durable. Readers get the message while it is on its way to the disk: a send that fails then, or is cut off by a crash, was not acknowledged and may have been
/// handled all the same, as with any queue. After a failed send nothing is given out before it is durable, until one succeeds again.
/// Texts lie in the store; here are only the few words per message that taking one needs. All members are thread-safe.
/// </remarks>
internal sealed class EmbeddedQueue : IMessageQueue
{
    internal const string MessagePrefix = "m/";

    /// <summary>Azure Storage's limit for the text as stored.</summary>
    private const int MaxTextBytes = 64 * 1024;

    private static readonly TimeSpan TimeToLive = TimeSpan.FromDays(7);

    /// <summary>A message that is done within this time never has its count of attempts written: half of all writes for short functions.</summary>
    private static readonly TimeSpan CountDelay = TimeSpan.FromMilliseconds(50);

    private readonly DurableStore _store;
    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, EmbeddedEntry> _entries = [];
    private readonly SortedSet<EmbeddedEntry> _byVisibility = new(EmbeddedEntry.Order);
    private readonly List<EmbeddedEntry> _uncounted = [];
    private readonly ITimer _countTimer;
    private readonly LateRemovals _removals;
    private readonly DateTimeOffset _opened;
    private readonly long _openedStamp;
    private TaskCompletionSource _news = new();
    private long _lastSequence;
    private volatile bool _lastSendFailed;

    public EmbeddedQueue(string name, DurableStore store, TimeProvider time)
    {
        Name = name;
        _store = store;
        _time = time;
        (_opened, _openedStamp) = (time.GetUtcNow(), time.GetTimestamp());
        _removals = new LateRemovals(store, time);
        _countTimer = time.CreateTimer(_ => _ = SaveCountsAsync(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public string Name { get; }

    /// <summary>Messages in the queue, taken ones included.</summary>
    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _entries.Count;
            }
        }
    }

    /// <summary>Messages that a reader would get now.</summary>
    public int VisibleCount
    {
        get
        {
            var now = SteadyNow;
            lock (_lock)
            {
                return _byVisibility.TakeWhile(entry => entry.VisibleAt <= now).Count();
            }
        }
    }

    /// <summary>The time of visibility: it goes on when somebody sets the clock, so that no lease ends early and no message stays hidden for it.</summary>
    private DateTimeOffset SteadyNow => _opened + _time.GetElapsedTime(_openedStamp);

    /// <exception cref="ArgumentException">The text is longer than 64 KiB.</exception>
    /// <exception cref="StorageException">The message is not acknowledged: the disk or the store is full, or cannot be written.</exception>
    public async Task SendAsync(string text, CancellationToken cancellationToken)
    {
        if (Encoding.UTF8.GetByteCount(text) > MaxTextBytes)
        {
            throw new ArgumentException($"A message for queue '{Name}' has {Encoding.UTF8.GetByteCount(text)} bytes as stored; expected at most {MaxTextBytes}. Put the payload into object storage and send its key.", nameof(text));
        }

        cancellationToken.ThrowIfCancellationRequested();
        var now = _time.GetUtcNow();
        var message = new EmbeddedMessage(Guid.NewGuid(), now, now + TimeToLive, text).ToBytes();
        var entry = new EmbeddedEntry { Id = EmbeddedMessage.Parse(message).Id, Sequence = Interlocked.Increment(ref _lastSequence), VisibleAt = SteadyNow, Unwritten = message };

        // The commit has its place in the log when the call returns: counts and the removal of this message can only come behind it. Who gives up waiting does not take it back.
        var commit = _removals.CommitWithAsync(new DurableWrite(MessageKey(entry), message));
        var isEarly = !commit.IsCompleted && !_lastSendFailed;
        if (isEarly)
        {
            Add(entry);
        }

        try
        {
            await commit;
            _lastSendFailed = false;
            entry.Unwritten = null;
        }
        catch
        {
            _lastSendFailed = true;
            Forget(entry);
            throw;
        }

        if (!isEarly)
        {
            Add(entry);
        }
    }

    public Task<IReadOnlyList<QueueMessage>> ReceiveAsync(int count, TimeSpan lease, CancellationToken cancellationToken)
    {
        var now = SteadyNow;
        var clock = _time.GetUtcNow();
        var taken = new List<QueueMessage>();
        var expired = new List<DurableWrite>();
        lock (_lock)
        {
            while (taken.Count < count && _byVisibility.Min is { } entry && entry.VisibleAt <= now)
            {
                _byVisibility.Remove(entry);
                var message = Read(entry);
                if (message.Expires <= clock)
                {
                    _entries.Remove(entry.Id);
                    expired.AddRange(Removal(entry));
                    continue;
                }

                entry.DequeueCount++;
                entry.Renew(now + lease);
                _byVisibility.Add(entry);
                _uncounted.Add(entry);
                taken.Add(new QueueMessage(entry.Id.ToString(), message.Text, entry.PopReceipt, entry.DequeueCount, message.Inserted, message.Expires, clock + lease));
            }

            if (taken.Count > 0 && _uncounted.Count == taken.Count)
            {
                _countTimer.Change(CountDelay, Timeout.InfiniteTimeSpan);
            }
        }

        if (expired.Count > 0)
        {
            _ = RememberAsync(expired);
        }

        return Task.FromResult<IReadOnlyList<QueueMessage>>(taken);
    }

    public async Task WaitAsync(TimeSpan longest, CancellationToken cancellationToken)
    {
        Task news;
        var wait = longest;
        lock (_lock)
        {
            news = _news.Task;
            if (_byVisibility.Min is { } next && next.VisibleAt - SteadyNow < wait)
            {
                wait = next.VisibleAt - SteadyNow;
            }
        }

        if (wait > TimeSpan.Zero)
        {
            try
            {
                await news.WaitAsync(wait, _time, cancellationToken);
            }
            catch (TimeoutException)
            {
                // A message that was hidden may be visible now.
            }
        }
    }

    public Task<string> SetVisibilityAsync(string id, string popReceipt, TimeSpan delay, CancellationToken cancellationToken)
    {
        string renewed;
        lock (_lock)
        {
            var entry = Held(id, popReceipt);
            _byVisibility.Remove(entry);
            entry.Renew(SteadyNow + delay);
            _byVisibility.Add(entry);
            renewed = entry.PopReceipt;
        }

        SignalNews();
        return Task.FromResult(renewed);
    }

    public async Task DeleteAsync(string id, string popReceipt, CancellationToken cancellationToken)
    {
        IReadOnlyList<DurableWrite> removal;
        bool idle;
        lock (_lock)
        {
            var entry = Held(id, popReceipt);
            _byVisibility.Remove(entry);
            _entries.Remove(entry.Id);
            removal = Removal(entry);
            idle = _byVisibility.Min is not { } next || next.VisibleAt > SteadyNow;
        }

        // While messages wait, whoever removes one is about to take the next.
        await (idle ? _removals.AddAsync(removal) : _store.CommitAsync(removal, cancellationToken).AsTask());
    }

    /// <summary>The first messages in the order in which they become visible, without taking them.</summary>
    public IReadOnlyList<QueueMessage> Peek(int count)
    {
        var ahead = _time.GetUtcNow() - SteadyNow;
        lock (_lock)
        {
            return [.. _byVisibility.Take(count).Select(entry =>
            {
                var message = Read(entry);
                return new QueueMessage(entry.Id.ToString(), message.Text, "", entry.DequeueCount, message.Inserted, message.Expires, entry.VisibleAt + ahead);
            })];
        }
    }

    /// <summary>Removes every message.</summary>
    public async Task ClearAsync(CancellationToken cancellationToken)
    {
        List<DurableWrite> writes;
        lock (_lock)
        {
            writes = [.. _entries.Values.SelectMany(Removal)];
            _entries.Clear();
            _byVisibility.Clear();
        }

        await _store.CommitAsync(writes, cancellationToken);
    }

    /// <summary>Writes how often messages were taken that are not done yet.</summary>
    internal Task SaveCountsAsync()
    {
        lock (_lock)
        {
            var writes = _uncounted
                .Where(entry => entry.SavedCount != entry.DequeueCount && _entries.ContainsKey(entry.Id))
                .Select(entry =>
                {
                    entry.SavedCount = entry.DequeueCount;
                    return new DurableWrite(CountKey(entry), CountBytes(entry.DequeueCount));
                })
                .ToList();
            _uncounted.Clear();

            // Begun under the lock, so that it stands in the log before the removal of any of these messages.
            return writes.Count > 0 ? RememberAsync(writes) : Task.CompletedTask;
        }
    }

    /// <summary>Writes what else would be written a moment later.</summary>
    internal Task SettleAsync() => Task.WhenAll(SaveCountsAsync(), _removals.FlushAsync());

    /// <summary>Takes over a message of an earlier process; it is visible at once.</summary>
    internal void Restore(string key)
    {
        var sequence = long.Parse(key.AsSpan(key.LastIndexOf('/') + 1), NumberStyles.HexNumber);
        _store.TryGet(key, out var value);
        var entry = new EmbeddedEntry { Id = EmbeddedMessage.Parse(value).Id, Sequence = sequence, VisibleAt = SteadyNow };
        if (_store.TryGet(CountKey(entry), out var count))
        {
            entry.DequeueCount = entry.SavedCount = BinaryPrimitives.ReadInt64LittleEndian(count);
        }

        _lastSequence = Math.Max(_lastSequence, sequence);
        Add(entry);
    }

    private static byte[] CountBytes(long count)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, count);
        return bytes;
    }

    private void Add(EmbeddedEntry entry)
    {
        lock (_lock)
        {
            _entries.Add(entry.Id, entry);
            _byVisibility.Add(entry);
        }

        SignalNews();
    }

    /// <summary>Outside the lock: a waiting reader goes on in here, so that a message reaches its function without waiting for a thread.</summary>
    private void SignalNews() => Interlocked.Exchange(ref _news, new TaskCompletionSource()).SetResult();

    private void Forget(EmbeddedEntry entry)
    {
        lock (_lock)
        {
            _byVisibility.Remove(entry);
            _entries.Remove(entry.Id);
        }
    }

    private EmbeddedMessage Read(EmbeddedEntry entry) => entry.Unwritten is { } unwritten
        ? EmbeddedMessage.Parse(unwritten)
        : _store.TryGet(MessageKey(entry), out var value)
        ? EmbeddedMessage.Parse(value)
        : throw new InvalidOperationException($"Message {entry.Id} of queue '{Name}' is listed but not stored.");

    private EmbeddedEntry Held(string id, string popReceipt) =>
        Guid.TryParse(id, out var guid) && _entries.TryGetValue(guid, out var entry) && entry.PopReceipt == popReceipt ? entry : throw new LeaseLostException(Name, id);

    /// <summary>Not waited for, so that a message is not held up by the disk: a crash may forget the last count, never the message.</summary>
    private async Task RememberAsync(List<DurableWrite> writes)
    {
        try
        {
            await _store.CommitAsync(writes, CancellationToken.None);
        }
        catch (Exception exception) when (exception is StorageException or ObjectDisposedException)
        {
            // The count in memory still holds; a full disk says so where something must be kept.
        }
    }

    private IReadOnlyList<DurableWrite> Removal(EmbeddedEntry entry) => entry.SavedCount == 0
        ? [new DurableWrite(MessageKey(entry), null)]
        : [new DurableWrite(MessageKey(entry), null), new DurableWrite(CountKey(entry), null)];

    private string MessageKey(EmbeddedEntry entry) => $"{MessagePrefix}{Name}/{entry.Sequence:x16}";

    private string CountKey(EmbeddedEntry entry) => $"d/{Name}/{entry.Sequence:x16}";
}
