using System.Collections.Concurrent;
using System.Text.Json;
using Platform.DataPlane;
using Platform.Local.Sidecar.Http;
using Platform.Local.Sidecar.State;

namespace Platform.Local.Sidecar.Actors;

/// <summary>The durable reminders of all actors: fires each when it is due, in the app that hosts the actor, whether or not it was active.</summary>
/// <remarks>
/// A reminder is on disk before its creation is acknowledged. A firing that finds no host waits for one. What is due while nothing runs fires when it runs again.
/// Short periods are not written at every firing: after a restart they go on in their rhythm from the last written moment.
/// </remarks>
internal sealed class ReminderScheduler : IAsyncDisposable
{
    private const string KeySpace = "r/";

    /// <summary>Callbacks of one actor type under way at once: ten thousand reminders that are due together must not become as many connections, and an app that stands still holds up its own alone.</summary>
    private const int MaxDeliveries = 128;
    private static readonly TimeSpan ShortPeriod = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(1);

    /// <summary>Longer than any policy means, shorter than what a timer of .NET refuses.</summary>
    private static readonly TimeSpan LongestPause = TimeSpan.FromDays(30);
    private readonly DurableStore _store;
    private readonly ActorTable _actors;
    private readonly ILogger _log;
    private readonly TimeProvider _time;
    private readonly KeyStripes _locks = new();
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _deliveries = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Reminder> _reminders = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, Task> _firing = new(StringComparer.Ordinal);
    private readonly PriorityQueue<Reminder, DateTimeOffset> _queue = new();
    private readonly List<Reminder> _homeless = [];
    private readonly Lock _gate = new();
    private readonly ITimer _timer;
    private volatile bool _stopped;

    public ReminderScheduler(DurableStore store, ActorTable actors, ILogger log, TimeProvider time)
    {
        _store = store;
        _actors = actors;
        _log = log;
        _time = time;
        _timer = time.CreateTimer(_ => FireDue(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        actors.Placement.AfterChange += TakeHomeless;
        foreach (var key in store.Keys(KeySpace))
        {
            if (store.TryGet(key, out var bytes) && JsonSerializer.Deserialize(bytes, SidecarJson.Default.Reminder) is { } reminder)
            {
                _reminders[reminder.Key] = reminder;
                Enqueue(reminder);
            }
        }
    }

    /// <summary>The reminder of an actor; null if there is none.</summary>
    public Reminder? Find(ActorKey actor, string name) => _reminders.GetValueOrDefault(Reminder.KeyOf(actor, name));

    /// <summary>Makes or replaces a reminder; durable on completion.</summary>
    /// <exception cref="DaprErrorException">It exists and must not.</exception>
    public async Task SaveAsync(Reminder reminder, bool overwrite)
    {
        using var locked = await _locks.EnterAsync([reminder.Key], CancellationToken.None);
        if (!overwrite && _reminders.ContainsKey(reminder.Key))
        {
            throw new DaprErrorException(409, "ERR_ACTOR_REMINDER_ALREADY_EXISTS", $"actor reminder already exists: {reminder.Name}");
        }

        await _store.CommitAsync([new DurableWrite(KeySpace + reminder.Key, JsonSerializer.SerializeToUtf8Bytes(reminder, SidecarJson.Default.Reminder))]);
        _reminders[reminder.Key] = reminder;
        Enqueue(reminder);
    }

    /// <summary>Removes a reminder; an absent one is no error.</summary>
    public async Task DeleteAsync(ActorKey actor, string name)
    {
        var key = Reminder.KeyOf(actor, name);
        using var locked = await _locks.EnterAsync([key], CancellationToken.None);
        if (_reminders.TryRemove(key, out _))
        {
            await _store.CommitAsync([new DurableWrite(KeySpace + key, null)]);
        }
    }

    /// <summary>Fires no more, and waits a little for the firings that are under way; what is cut off fires again at the next start.</summary>
    public async ValueTask DisposeAsync()
    {
        _stopped = true;
        _actors.Placement.AfterChange -= TakeHomeless;
        await _timer.DisposeAsync();
        await Task.WhenAny(Task.WhenAll(_firing.Values), Task.Delay(Patience, _time));
    }

    private bool IsCurrent(Reminder reminder) => !_stopped && _reminders.TryGetValue(reminder.Key, out var current) && ReferenceEquals(current, reminder);

    private void Enqueue(Reminder reminder)
    {
        lock (_gate)
        {
            _queue.Enqueue(reminder, reminder.Due);
            Wait();
        }
    }

    /// <summary>Sets the timer to the head of the queue. Under the gate.</summary>
    private void Wait()
    {
        if (!_stopped && _queue.TryPeek(out _, out var due))
        {
            var wait = due - _time.GetUtcNow();
            _timer.Change(wait < TimeSpan.Zero ? TimeSpan.Zero : wait > LongestWait ? LongestWait : wait, Timeout.InfiniteTimeSpan);
        }
    }

    private void FireDue()
    {
        lock (_gate)
        {
            var now = _time.GetUtcNow();
            while (_queue.TryPeek(out var reminder, out var due) && due <= now)
            {
                _queue.Dequeue();
                Fire(reminder);
            }

            Wait();
        }
    }

    /// <summary>Starts a firing, or parks it until its type has a host. Under the gate.</summary>
    private void Fire(Reminder reminder)
    {
        if (!IsCurrent(reminder))
        {
            return; // Replaced or removed since it was queued.
        }

        if (!_actors.Placement.Hosts(reminder.Type))
        {
            _homeless.Add(reminder);
            return;
        }

        // At most one firing of a reminder at a time: the next is queued when this one has ended.
        var firing = Task.Run(() => FireAsync(reminder));
        _firing[reminder.Key] = firing;
        _ = firing.ContinueWith(done => _firing.TryRemove(KeyValuePair.Create(reminder.Key, (Task)done)), TaskScheduler.Default);
    }

    private void TakeHomeless(object? sender, EventArgs e)
    {
        lock (_gate)
        {
            foreach (var reminder in _homeless.Where(reminder => _actors.Placement.Hosts(reminder.Type)).ToList())
            {
                _homeless.Remove(reminder);
                _queue.Enqueue(reminder, reminder.Due);
            }

            Wait();
        }
    }

    private async Task FireAsync(Reminder reminder)
    {
        try
        {
            var (isDelivered, isCancelled) = await DeliverAsync(reminder);
            if (!isDelivered)
            {
                Enqueue(reminder); // No host after all: it stays due.
                return;
            }

            await AdvanceAsync(reminder, isCancelled);
        }
        catch (Exception e)
        {
            SidecarLog.ReminderNotSaved(_log, e, reminder.Key);
            await Task.Delay(TimeSpan.FromSeconds(1), _time);
            Enqueue(reminder);
        }
    }

    /// <summary>One callback, when its type has room for it; the pauses between attempts take no room.</summary>
    private async Task<ActorAnswer> CallAsync(Reminder reminder, ActorTurn turn)
    {
        var room = _deliveries.GetOrAdd(reminder.Type, static _ => new SemaphoreSlim(MaxDeliveries));
        await room.WaitAsync();
        try
        {
            return (await _actors.RunAsync(reminder.Actor, turn, CancellationToken.None))!;
        }
        finally
        {
            room.Release();
        }
    }

    /// <summary>Delivers with the reminder's failure policy.</summary>
    /// <returns>Delivered: the firing is over, well or not. Cancelled: the app wants no more.</returns>
    private async Task<(bool IsDelivered, bool IsCancelled)> DeliverAsync(Reminder reminder)
    {
        var turn = new ActorTurn { Path = "remind/" + Uri.EscapeDataString(reminder.Name), Body = CallbackBody.OfReminder(reminder.Data) };
        for (var attempt = 1; ; attempt++)
        {
            string reason;
            try
            {
                var answer = await CallAsync(reminder, turn);
                if (answer.IsSuccess)
                {
                    return (true, answer.WantsCancel);
                }

                reason = $"status {(int)answer.Status}, expected 200";
            }
            catch (DaprErrorException e) when (e.Error.Status == 404)
            {
                return (false, false);
            }
            catch (DaprErrorException e)
            {
                reason = e.Message;
            }

            SidecarLog.ReminderFailed(_log, reminder.Key, attempt, reason);
            if (attempt > reminder.MaxRetries)
            {
                return (true, false);
            }

            await Task.Delay(reminder.RetryInterval < LongestPause ? reminder.RetryInterval : LongestPause, _time);
            if (!IsCurrent(reminder))
            {
                return (true, false);
            }
        }
    }

    private async Task AdvanceAsync(Reminder reminder, bool isCancelled)
    {
        using var locked = await _locks.EnterAsync([reminder.Key], CancellationToken.None);
        if (!IsCurrent(reminder))
        {
            return; // The callback removed or replaced it.
        }

        if (isCancelled || reminder.Next(_time.GetUtcNow()) is not { } next)
        {
            await _store.CommitAsync([new DurableWrite(KeySpace + reminder.Key, null)]);
            _reminders.TryRemove(reminder.Key, out _);
            return;
        }

        if (next.Left is not null || next.Period >= ShortPeriod)
        {
            await _store.CommitAsync([new DurableWrite(KeySpace + reminder.Key, JsonSerializer.SerializeToUtf8Bytes(next, SidecarJson.Default.Reminder))]);
        }

        _reminders[reminder.Key] = next;
        Enqueue(next);
    }
}
