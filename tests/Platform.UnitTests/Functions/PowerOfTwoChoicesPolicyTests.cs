using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.UnitTests.Functions;

public sealed class PowerOfTwoChoicesPolicyTests
{
    private readonly CallsByWorker _calls = new();

    [Fact]
    public void Pick_AmongTwo_IsTheOneWithFewerCalls()
    {
        var table = Table(Node("worker-0", inFlight: 5), Node("worker-1", inFlight: 4));

        Assert.All(Enumerable.Range(0, 50), _ => Assert.Equal("worker-1", Policy().Pick(table, "m", [])));
    }

    [Fact]
    public void Pick_WithOurOwnCallsUnderWay_CountsThemBeforeTheHeartbeatDoes()
    {
        var table = Table(Node("worker-0", inFlight: 0), Node("worker-1", inFlight: 1));
        using var first = _calls.Begin("worker-0");
        using var second = _calls.Begin("worker-0");

        Assert.All(Enumerable.Range(0, 50), _ => Assert.Equal("worker-1", Policy().Pick(table, "m", [])));
    }

    [Fact]
    public void Pick_AmongMany_SpreadsAndNeverTakesTheBusiest()
    {
        var table = Table([.. Enumerable.Range(0, 8).Select(i => Node($"worker-{i}", inFlight: i == 7 ? 100 : 1))]);
        var policy = Policy();

        var picks = Enumerable.Range(0, 4000).Select(_ => policy.Pick(table, "m", [])!).CountBy(worker => worker).ToDictionary();

        Assert.Equal(7, picks.Count);
        Assert.DoesNotContain("worker-7", picks.Keys);
        Assert.All(picks.Values, count => Assert.InRange(count, 4000 / 7 * 0.7, 4000 / 7 * 1.3));
    }

    [Fact]
    public void Pick_OfNodesThatCannotServe_IsNone()
    {
        var dead = new NodeStatus(Heartbeat("worker-0"), default, false);
        var draining = new NodeStatus(Heartbeat("worker-1") with { Draining = true }, default, true);
        var cold = new NodeStatus(Heartbeat("worker-2") with { Models = new Dictionary<string, ModelResidency> { ["m"] = ModelResidency.Loading } }, default, true);

        Assert.Null(Policy().Pick(new NodeTable([dead, draining, cold, Node("worker-3", 0)]), "m", ["worker-3"]));
    }

    private static NodeTable Table(params NodeStatus[] nodes) => new(nodes);

    private static NodeStatus Node(string worker, int inFlight) => new(Heartbeat(worker) with { InFlight = inFlight }, default, true);

    private static NodeHeartbeat Heartbeat(string worker) => new()
    {
        Worker = worker,
        InstanceId = "i",
        ProcessId = 1,
        Device = "test",
        DeviceCapacityBytes = 1,
        DeviceFreeBytes = 1,
        Models = new Dictionary<string, ModelResidency> { ["m"] = ModelResidency.Ready },
        CachedBytes = new Dictionary<string, long>(),
        InFlight = 0,
        RunningJobs = 0,
        MaxJobs = 1,
    };

    private PowerOfTwoChoicesPolicy Policy() => new(_calls, new Random(1));
}
