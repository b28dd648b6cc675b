using Platform.Control.Models;
using Platform.Control.Placement;
using Platform.Jobs;

namespace Platform.UnitTests.Control;

public sealed class PlacementTests
{
    private static readonly ModelManifest Model = ControlHarness.Manifest("tiny", 1000);
    private readonly ControlHarness _control = new();

    [Fact]
    public void Job_EveryNodeRejected_SaysWhyForEach()
    {
        _control.Hear("worker-0", running: 1);
        _control.Hear("worker-1", capacity: 10);
        _control.Hear("worker-2");

        var decision = JobPlacementPolicy.Choose(ControlHarness.Spec(), Model, _control.Nodes.Views(), ["worker-2"], []);

        Assert.Null(decision.Worker);
        Assert.False(decision.Never);
        Assert.Equal(
            "No node can take it: worker-0 runs 1 job(s), which is its limit; worker-1 has 10 bytes for models and 'tiny' needs 1000; worker-2 has just declined it.",
            decision.Reason);
    }

    [Fact]
    public void Job_SilentNode_IsLeftOut()
    {
        _control.Hear("worker-0");
        _control.Time.Advance(TimeSpan.FromSeconds(4));
        _control.Hear("worker-1");

        Assert.Equal("worker-1", JobPlacementPolicy.Choose(ControlHarness.Spec(), Model, _control.Nodes.Views(), [], []).Worker);
        Assert.Equal([false, true], _control.Nodes.Table().Nodes.Select(node => node.Alive));
    }

    [Fact]
    public void Job_NodesEquallyBusy_GoesWhereTheFewestBytesAreMissing()
    {
        _control.Hear("worker-0");
        _control.Hear("worker-1", models: new Dictionary<string, ModelResidency> { ["tiny"] = ModelResidency.Nvme });

        Assert.Equal("worker-1", JobPlacementPolicy.Choose(ControlHarness.Spec(), Model, _control.Nodes.Views(), [], []).Worker);
    }

    [Fact]
    public void Job_NodeThatLostItBefore_IsTheLastResort()
    {
        _control.Hear("worker-0", maxJobs: 4, models: new Dictionary<string, ModelResidency> { ["tiny"] = ModelResidency.Ready });
        _control.Hear("worker-1", maxJobs: 4, running: 3);

        Assert.Equal("worker-1", JobPlacementPolicy.Choose(ControlHarness.Spec(), Model, _control.Nodes.Views(), [], ["worker-0"]).Worker);
        Assert.Equal("worker-0", JobPlacementPolicy.Choose(ControlHarness.Spec(), Model, _control.Nodes.Views(), ["worker-1"], ["worker-0"]).Worker);
    }

    [Fact]
    public void Slot_HeldAndAccepted_IsCountedUntilTheHeartbeatCountsIt()
    {
        _control.Hear("worker-0", maxJobs: 2);
        using (var slot = _control.Nodes.TryHoldSlot("worker-0")!)
        {
            slot.Accept();
        }

        using (_control.Nodes.TryHoldSlot("worker-0"))
        {
            Assert.Null(_control.Nodes.TryHoldSlot("worker-0"));
        }

        Assert.Equal(1, _control.Nodes.FreeJobSlots());
        _control.Hear("worker-0", running: 1, maxJobs: 2);
        Assert.Equal(1, _control.Nodes.FreeJobSlots());
    }

    [Fact]
    public async Task Replica_ColdModelAskedTwice_GoesToTheSameWorker()
    {
        Hear3();
        await PublishAsync();
        var first = await EnsureAsync();

        // Everything changes but the choice: the chosen node looks worse now and says nothing about the model yet.
        Hear3(inFlight: first.Worker);
        var second = await EnsureAsync();

        Assert.NotNull(first.Worker);
        Assert.Equal(first.Worker, second.Worker);
    }

    [Fact]
    public async Task Replica_ReadySomewhere_GoesThere()
    {
        Hear3();
        await PublishAsync();
        _control.Hear("worker-2", models: new Dictionary<string, ModelResidency> { ["tiny"] = ModelResidency.Ready });

        Assert.Equal("worker-2", (await EnsureAsync()).Worker);
    }

    [Fact]
    public async Task Replica_EveryByteOnTheNvmeOfANode_GoesThereAndSaysSo()
    {
        Hear3();
        await PublishAsync();
        _control.Hear("worker-1", cached: new Dictionary<string, long> { ["tiny"] = Model.LengthBytes - 1 });
        _control.Hear("worker-2", cached: new Dictionary<string, long> { ["tiny"] = Model.LengthBytes });

        var answer = await EnsureAsync();

        Assert.Equal("worker-2", answer.Worker);
        Assert.Contains("worker-2 has every byte of 'tiny' on NVMe", answer.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Replica_WorkerFailedTheCaller_GoesElsewhere()
    {
        Hear3();
        await PublishAsync();
        var first = await EnsureAsync();

        var second = await EnsureAsync(first.Worker!);

        Assert.NotNull(second.Worker);
        Assert.NotEqual(first.Worker, second.Worker);
    }

    [Fact]
    public async Task Replica_UnknownModel_SaysSo()
    {
        var answer = await EnsureAsync();

        Assert.Null(answer.Manifest);
        Assert.Null(answer.Worker);
    }

    [Fact]
    public async Task Replica_NoNodeYet_WaitsForTheFirstHeartbeat()
    {
        await PublishAsync();
        var asked = EnsureAsync();
        Assert.False(asked.IsCompleted);

        _control.Hear("worker-0");

        Assert.Equal("worker-0", (await asked).Worker);
    }

    [Fact]
    public async Task Replica_NoNodeAtAll_GivesUpAfterTheWindow()
    {
        await PublishAsync();
        var asked = EnsureAsync();
        Assert.False(asked.IsCompleted);

        _control.Time.Advance(_control.Options.NodeWindow);

        var answer = await asked;
        Assert.Null(answer.Worker);
        Assert.NotNull(answer.Manifest);
    }

    private void Hear3(string? inFlight = null)
    {
        foreach (var worker in (string[])["worker-0", "worker-1", "worker-2"])
        {
            _control.Hear(worker, inFlight: worker == inFlight ? 9 : 0);
        }
    }

    /// <summary>The index actor answers from nowhere here (204), which is all that publishing needs.</summary>
    private Task<ModelManifest> PublishAsync() => _control.TurnAsync<IModelActor, ModelManifest>(nameof(ModelActor), "tiny", model => model.Publish(Model));

    private Task<ReplicaAnswer> EnsureAsync(params string[] avoid) =>
        _control.TurnAsync<IModelActor, ReplicaAnswer>(nameof(ModelActor), "tiny", model => model.EnsureReplica(new EnsureReplicaRequest(avoid)));
}
