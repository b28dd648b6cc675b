using Platform.DataPlane;

namespace Platform.Local.Sidecar.PubSub;

/// <summary>The messages of one topic that one consumer has not handled yet, and the apps that take them.</summary>
/// <remarks>
/// Every message is on disk until it is settled; a crash in a delivery means that it is delivered again. Apps of one consumer take turns, each within the number of
/// deliveries that it may have open: one that stalls holds up its own share and nobody else's.
/// </remarks>
internal sealed class ConsumerGroup(MessageBroker broker, GroupKey key, ILogger log, TimeProvider time)
{
    private readonly LinkedList<string> _ready = new();
    private readonly List<Member> _members = [];
    private readonly Lock _gate = new();
    private TaskCompletionSource _grown = NewSignal();
    private TaskCompletionSource? _idle;
    private int _open;
    private int _turn;
    private bool _stopped;

    public GroupKey Key => key;

    /// <summary>Adds messages that are on disk; deliveries begin on the caller's thread.</summary>
    public void Add(params ReadOnlySpan<string> messages)
    {
        TaskCompletionSource grown;
        lock (_gate)
        {
            foreach (var message in messages)
            {
                _ready.AddLast(message);
            }

            (grown, _grown) = (_grown, NewSignal());
        }

        grown.SetResult();
        Pump();
    }

    public void Subscribe(Subscriber subscriber)
    {
        lock (_gate)
        {
            _members.Add(new Member(subscriber));
        }

        Pump();
    }

    public void Unsubscribe(Subscriber subscriber)
    {
        lock (_gate)
        {
            _members.RemoveAll(member => member.Subscriber == subscriber);
        }
    }

    /// <summary>Begins no more deliveries, and waits for those under way.</summary>
    public Task StopAsync()
    {
        lock (_gate)
        {
            _stopped = true;
            return _open == 0 ? Task.CompletedTask : (_idle ??= NewSignal()).Task;
        }
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Starts as many deliveries as may run.</summary>
    private void Pump()
    {
        while (TryTake(null, out var member, out var message))
        {
            _ = RunAsync(member, message);
        }
    }

    /// <summary>Takes the next message for a member that has room: for the given one, or for whoever's turn it is.</summary>
    private bool TryTake(Member? only, out Member member, out string message)
    {
        lock (_gate)
        {
            for (var i = 0; i < _members.Count && !_stopped && _ready.First is { } first; i++)
            {
                member = only ?? _members[(_turn + i) % _members.Count];
                if (member.Open < member.MaxOpen && (only is null || _members.Contains(only)))
                {
                    _turn = (_turn + i + 1) % _members.Count;
                    _ready.RemoveFirst();
                    message = first.Value;
                    member.Open++;
                    _open++;
                    return true;
                }
            }
        }

        (member, message) = (null!, "");
        return false;
    }

    /// <summary>Delivers, and goes on as long as there is something for this member.</summary>
    private async Task RunAsync(Member member, string message)
    {
        do
        {
            try
            {
                await (member.Subscriber.Subscription.Bulk is { } bulk ? DeliverBatchAsync(member.Subscriber, bulk, message) : DeliverAsync(member.Subscriber, message));
            }
            catch (Exception e)
            {
                PubSubLog.NotSettled(log, e, message);
                AddLater(message, TimeSpan.FromSeconds(1));
            }

            lock (_gate)
            {
                member.Open--;
                if (--_open == 0)
                {
                    _idle?.TrySetResult();
                }
            }
        }
        while (TryTake(member, out _, out message));
    }

    private async Task DeliverAsync(Subscriber subscriber, string message)
    {
        if (broker.Find(message) is { } data)
        {
            await SettleAsync(subscriber, message, data, await subscriber.DeliverAsync(data));
        }
    }

    private async Task DeliverBatchAsync(Subscriber subscriber, BulkSubscription bulk, string first)
    {
        // Waits for a full batch, but not longer than the app wants to be kept waiting.
        var begin = time.GetTimestamp();
        var grown = Grown();
        while (CountReady() < bulk.MaxMessages - 1 && bulk.MaxAwait - time.GetElapsedTime(begin) is var left && left > TimeSpan.Zero)
        {
            try
            {
                await grown.WaitAsync(left, time);
            }
            catch (TimeoutException)
            {
                break;
            }

            grown = Grown();
        }

        var messages = Take(first, bulk.MaxMessages).Select(message => (Key: message, Data: broker.Find(message))).Where(message => message.Data is not null).ToList();
        DeliveryOutcome[] outcomes;
        try
        {
            outcomes = await subscriber.DeliverAsync(messages.ConvertAll(message => message.Data!));
        }
        catch
        {
            foreach (var message in messages.Where(message => message.Key != first)) // The first is its caller's to bring back.
            {
                AddLater(message.Key, TimeSpan.FromSeconds(1));
            }

            throw;
        }

        await Task.WhenAll(messages.Select((message, i) => SettleAsync(subscriber, message.Key, message.Data!, outcomes[i])));
    }

    private Task Grown()
    {
        lock (_gate)
        {
            return _grown.Task;
        }
    }

    private int CountReady()
    {
        lock (_gate)
        {
            return _ready.Count;
        }
    }

    private List<string> Take(string first, int count)
    {
        List<string> taken = [first];
        lock (_gate)
        {
            while (taken.Count < count && _ready.First is { } next)
            {
                taken.Add(next.Value);
                _ready.RemoveFirst();
            }
        }

        return taken;
    }

    private async Task SettleAsync(Subscriber subscriber, string message, byte[] data, DeliveryOutcome outcome)
    {
        try
        {
            var deadLetter = subscriber.Subscription.DeadLetterTopic;
            switch (outcome)
            {
                case DeliveryOutcome.Success:
                    broker.Forget(message);
                    break;
                case DeliveryOutcome.Drop or DeliveryOutcome.Retry when deadLetter is not null:
                    PubSubLog.Dropped(log, key.Topic, key.Consumer, $", which goes to '{deadLetter}'");
                    await broker.MoveAsync(message, data, key.Component, deadLetter);
                    break;
                case DeliveryOutcome.Drop:
                    PubSubLog.Dropped(log, key.Topic, key.Consumer, "");
                    broker.Forget(message);
                    break;
                case DeliveryOutcome.Away:
                    Return(subscriber, message);
                    break;
                default:
                    AddLater(message, subscriber.Component.RedeliverAfter);
                    break;
            }
        }
        catch (Exception e) when (e is StorageException or ObjectDisposedException)
        {
            PubSubLog.NotSettled(log, e, message);
            AddLater(message, TimeSpan.FromSeconds(1));
        }
    }

    /// <summary>The app is gone: it gets nothing more in this life, and the message stays first.</summary>
    private void Return(Subscriber subscriber, string message)
    {
        lock (_gate)
        {
            _members.RemoveAll(member => member.Subscriber == subscriber);
            _ready.AddFirst(message);
        }

        Pump();
    }

    private void AddLater(string message, TimeSpan pause) => _ = Task.Delay(pause, time).ContinueWith(_ => Add(message), TaskScheduler.Default);

    /// <summary>An app that takes messages, and how many it has open.</summary>
    private sealed class Member(Subscriber subscriber)
    {
        public Subscriber Subscriber => subscriber;

        public int MaxOpen { get; } = subscriber.Subscription.Bulk is null ? subscriber.Component.Concurrency : 1;

        public int Open { get; set; }
    }
}
