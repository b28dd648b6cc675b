using Platform.Local.Sidecar.App;
using Platform.Local.Sidecar.Resiliency;

namespace Platform.Local.Sidecar.PubSub;

/// <summary>The subscriptions of one app: begun when it is up, ended when it is away.</summary>
internal sealed class SidecarSubscriptions(
    IReadOnlyDictionary<string, PubSubComponent> components, IReadOnlyList<Subscription> declarative, MessageBroker broker, AppChannel app, ResiliencyPolicies policies, ILogger log, TimeProvider time)
{
    private readonly List<(ConsumerGroup Group, Subscriber Subscriber)> _live = [];

    /// <summary>What is subscribed at present.</summary>
    public IReadOnlyList<Subscription> Current { get; private set; } = [];

    /// <summary>Begins; the app's own subscriptions win over those of files. What it had subscribed earlier and does not name now is given up, with the messages that wait there.</summary>
    /// <param name="answer">What the app says; null: it did not say, so that nothing is given up.</param>
    public async Task StartAsync(ReadOnlyMemory<byte>? answer)
    {
        var wanted = new Dictionary<(string PubSub, string Topic), Subscription>();
        var isUnderstood = answer is not null;
        var own = SubscriptionReader.Programmatic(answer ?? default, reason =>
        {
            isUnderstood = false;
            PubSubLog.SubscriptionRefused(log, app.AppId, reason);
        });
        foreach (var subscription in own.Concat(declarative))
        {
            if (!components.TryGetValue(subscription.PubSub, out var component))
            {
                PubSubLog.SubscriptionRefused(log, app.AppId, $"topic '{subscription.Topic}': there is no pub/sub component '{subscription.PubSub}'");
            }
            else if (!component.MaySubscribe(subscription.Topic))
            {
                PubSubLog.SubscriptionRefused(log, app.AppId, $"topic '{subscription.Topic}' of '{subscription.PubSub}' is not allowed for this app");
            }
            else
            {
                wanted.TryAdd((subscription.PubSub, subscription.Topic), subscription);
            }
        }

        Current = [.. wanted.Values];
        var groups = Current.ToDictionary(subscription => components[subscription.PubSub].GroupOf(subscription.Topic));
        if (isUnderstood)
        {
            // A group with a consumer id of its own is not this app's alone, even if it bears its name.
            var shared = components.Values.Where(component => component.IsShared).Select(component => component.Name).ToHashSet(StringComparer.Ordinal);
            await broker.LeaveOthersAsync(app.AppId, groups.Keys.ToHashSet(), shared);
        }

        foreach (var (key, subscription) in groups)
        {
            var group = await broker.JoinAsync(key);
            var subscriber = new Subscriber(subscription, components[subscription.PubSub], app, policies.ForPubSubInbound(subscription.PubSub), log, time);
            _live.Add((group, subscriber));
            group.Subscribe(subscriber);
        }
    }

    public void Stop()
    {
        foreach (var (group, subscriber) in _live)
        {
            group.Unsubscribe(subscriber);
        }

        _live.Clear();
        Current = [];
    }
}
