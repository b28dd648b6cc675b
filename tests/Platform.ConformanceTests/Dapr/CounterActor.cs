using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Serialization;
using Platform.Dapr;
using Platform.Dapr.Actors;

namespace Platform.ConformanceTests.Dapr;

internal interface ICounterActor : IActor
{
    Task<int> Add(int amount);

    Task<int> Get();

    Task AddAndFail(int amount);

    Task StartTimer();

    Task StopTimer();

    Task<int> CallSelf(int depth);

    Task<int> AddAround(string inner);
}

/// <summary>When each turn began and ended.</summary>
internal sealed class TurnHistory
{
    public ConcurrentQueue<(string Id, string Name, long Begin, long End)> Turns { get; } = new();

    public async Task UntilAsync(Func<IReadOnlyCollection<(string Id, string Name, long Begin, long End)>, bool> condition)
    {
        while (!condition(Turns))
        {
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }
    }
}

internal sealed class CounterActor(ActorHost host, TurnHistory history) : Actor(host), ICounterActor, IRemindable
{
    public Task<int> Add(int amount) => RecordAsync("Add", async () =>
    {
        var count = (await StateManager.TryGetStateAsync<int>("count")).Value;
        await Task.Yield();
        await StateManager.SetStateAsync("count", count + amount);
        return count + amount;
    });

    public Task<int> Get() => RecordAsync("Get", async () => (await StateManager.TryGetStateAsync<int>("count")).Value);

    public async Task AddAndFail(int amount)
    {
        await Add(amount);
        throw new ActorException("too-much", $"{amount} is too much");
    }

    public Task StartTimer() => RegisterTimerAsync("ping", nameof(Ping), null, TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(50));

    public Task StopTimer() => UnregisterTimerAsync("ping");

    public Task<int> CallSelf(int depth) => depth <= 1
        ? Task.FromResult(1)
        : NestedAsync(depth - 1);

    /// <summary>Changes its state, has a reentrant call change it too, and goes on whether or not that call failed.</summary>
    public async Task<int> AddAround(string inner)
    {
        await StateManager.SetStateAsync("outer", 1);
        var before = (await StateManager.TryGetStateAsync<int>("count")).Value;
        try
        {
            await Host.ProxyFactory.CreateActorProxy(Host.ActorType, Id.Value).InvokeMethodAsync(inner, 5, TestJson.Default.Int32, TestJson.Default.Int32);
        }
        catch (DaprActorMethodException)
        {
            // Its changes are gone; ours are not.
        }

        return ((await StateManager.TryGetStateAsync<int>("count")).Value * 10) + before;
    }

    public Task ReceiveReminderAsync(string reminderName, byte[] state, TimeSpan dueTime, TimeSpan period) => RecordAsync(
        $"remind:{reminderName}:{Encoding.UTF8.GetString(state)}",
        () => reminderName == "fail" ? throw new InvalidOperationException("asked to") : Task.FromResult(0));

    protected override Task OnDeactivateAsync() => RecordAsync("deactivated", () => Task.FromResult(0));

    private async Task<int> NestedAsync(int depth) =>
        1 + await Host.ProxyFactory.CreateActorProxy(Host.ActorType, Id.Value).InvokeMethodAsync("CallSelf", depth, TestJson.Default.Int32, TestJson.Default.Int32);

    private async Task Ping() => await RecordAsync("timer:ping", () => Task.FromResult(0));

    private async Task<int> RecordAsync(string name, Func<Task<int>> turn)
    {
        var begin = Host.Time.GetTimestamp();
        try
        {
            return await turn();
        }
        finally
        {
            history.Turns.Enqueue((Id.Value, name, begin, Host.Time.GetTimestamp()));
        }
    }
}

[JsonSerializable(typeof(int))]
[JsonSerializable(typeof(string))]
internal sealed partial class TestJson : JsonSerializerContext;
