using Platform.DataPlane;

namespace Platform.Local.Sidecar.PubSub;

/// <summary>The messages of one topic that one consumer has not handled yet, and the apps that take them.</summary>
/// <remarks>Every message is on disk until it is settled; a crash in a delivery means that it is delivered again.</remarks>
internal sealed class ConsumerGroup(MessageBroker broker, GroupKey key, ILogger log, TimeProvider time)
{
    private readonly LinkedList<string> _ready = new();
    private readonly List<Subscriber> _subscribers = [];
    private readonly HashSet<Task> _running = [];
    private readonly Lock _gate = new();
    private int _turn;
    private bool _stopped;

    public GroupKey Key => key;

    /// <summary>Adds messages that are on disk.</summary>
    public void Add(params ReadOnlySpan<string> messages)
    {
        lock (_gate)
        {
            foreach (var message in messages)
            {
                _ready.AddLast(message);
            }

            Pump();
        }
    }

    public void Subscribe(Subscriber subscriber)
    {
        lock (_gate)
        {
            _subscribers.Add(subscriber);
            Pump();
        }
    }

    public void Unsubscribe(Subscriber subscriber)
    {
        lock (_gate)
        {
            _subscribers.Remove(subscriber);
        }
    }

    /// <summary>Begins no more deliveries, and waits for those under way.</summary>
    public Task StopAsync()
    {
        lock (_gate)
        {
            _stopped = true;
            return Task.WhenAll(_running);
        }
    }

    /// <summary>Starts as many deliveries as may run. Under the gate.</summary>
    private void Pump()
    {
        while (!_stopped && _ready.Count > 0 && _subscribers.Count > 0)
        {
            var subscriber = _subscribers[_turn++ % _subscribers.Count];
            if (_running.Count >= (subscriber.Subscription.Bulk is null ? subscriber.Component.Concurrency : 1))
            {
                return;
            }

            if (subscriber.Subscription.Bulk is { } bulk)
            {
                Start(() => DeliverBatchAsync(subscriber, bulk));
            }
            else
            {
                var message = _ready.First!.Value;
                _ready.RemoveFirst();
                Start(() => DeliverAsync(subscriber, message));
            }
        }
    }

    private void Start(Func<Task> deliver)
    {
        var task = Task.Run(deliver);
        _running.Add(task);
        _ = task.ContinueWith(
            done =>
            {
                lock (_gate)
                {
                    _running.Remove(done);
                    Pump();
                }
            },
            TaskScheduler.Default);
    }

    private async Task DeliverAsync(Subscriber subscriber, string message)
    {
        if (broker.Find(message) is { } data)
        {
            await SettleAsync(subscriber, message, data, await subscriber.DeliverAsync(data));
        }
    }

    private async Task DeliverBatchAsync(Subscriber subscriber, BulkSubscription bulk)
    {
        // Waits for a full batch, but not longer than the app wants to be kept waiting.
        var begin = time.GetTimestamp();
        while (CountReady() < bulk.MaxMessages && time.GetElapsedTime(begin) < bulk.MaxAwait)
        {
            var left = bulk.MaxAwait - time.GetElapsedTime(begin);
            await Task.Delay(left < TimeSpan.FromMilliseconds(20) ? TimeSpan.FromMilliseconds(Math.Max(1, left.TotalMilliseconds)) : TimeSpan.FromMilliseconds(20), time);
        }

        var messages = Take(bulk.MaxMessages).Select(message => (Key: message, Data: broker.Find(message))).Where(message => message.Data is not null).ToList();
        var outcomes = await subscriber.DeliverAsync(messages.ConvertAll(message => message.Data!));
        await Task.WhenAll(messages.Select((message, i) => SettleAsync(subscriber, message.Key, message.Data!, outcomes[i])));
    }

    private int CountReady()
    {
        lock (_gate)
        {
            return _ready.Count;
        }
    }

    private List<string> Take(int count)
    {
        var taken = new List<string>();
        lock (_gate)
        {
            while (taken.Count < count && _ready.First is { } first)
            {
                taken.Add(first.Value);
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
                    await broker.ForgetAsync(message);
                    break;
                case DeliveryOutcome.Drop or DeliveryOutcome.Retry when deadLetter is not null:
                    PubSubLog.Dropped(log, key.Topic, key.Consumer, $", which goes to '{deadLetter}'");
                    await broker.MoveAsync(message, data, key.Component, deadLetter);
                    break;
                case DeliveryOutcome.Drop:
                    PubSubLog.Dropped(log, key.Topic, key.Consumer, "");
                    await broker.ForgetAsync(message);
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
            _subscribers.Remove(subscriber);
            _ready.AddFirst(message);
            Pump();
        }
    }

    private void AddLater(string message, TimeSpan pause) => _ = Task.Delay(pause, time).ContinueWith(_ => Add(message), TaskScheduler.Default);
}
