using Platform.Control.Models;
using Platform.Jobs;

namespace Platform.UnitTests.Control;

/// <summary>What control does for the sweep: idle replicas, orphans, leftovers of ended jobs.</summary>
public sealed class SweepTests
{
    private readonly ControlHarness _control = new();

    [Fact]
    public async Task Sweep_OfAPublishedModel_AsksReadyNodesToReleaseItAndTellsWhichDid()
    {
        await _control.TurnAsync<IModelActor, ModelManifest>(nameof(ModelActor), "tiny", model => model.Publish(ControlHarness.Manifest("tiny", 10)));
        _control.Hear("worker-0", models: new Dictionary<string, ModelResidency> { ["tiny"] = ModelResidency.Ready });
        _control.Hear("worker-1", models: new Dictionary<string, ModelResidency> { ["tiny"] = ModelResidency.Ready });
        _control.Hear("worker-2", models: new Dictionary<string, ModelResidency> { ["tiny"] = ModelResidency.Nvme });
        _control.Sidecar.AnswerInvocation = call => call.Contains("worker-1", StringComparison.Ordinal) ? """{"released":true}""" : """{"released":false}""";

        var swept = await SweepAsync("tiny");

        Assert.Equal((true, "worker-1", ""), (swept.Published, string.Join(",", swept.Released), string.Join(",", swept.Dropped)));
        Assert.Equal(["POST worker-0 models/tiny/release?idle=900", "POST worker-1 models/tiny/release?idle=900"], _control.Sidecar.Invocations);
    }

    [Fact]
    public async Task Sweep_WithIdleZero_ReleasesNothing()
    {
        _control.Options.ReplicaIdle = TimeSpan.Zero;
        await _control.TurnAsync<IModelActor, ModelManifest>(nameof(ModelActor), "tiny", model => model.Publish(ControlHarness.Manifest("tiny", 10)));
        _control.Hear("worker-0", models: new Dictionary<string, ModelResidency> { ["tiny"] = ModelResidency.Ready });

        await SweepAsync("tiny");

        Assert.Empty(_control.Sidecar.Invocations);
    }

    [Fact]
    public async Task Sweep_OfAModelThatIsNotPublished_DropsItWhereverItIs()
    {
        _control.Hear("worker-0", models: new Dictionary<string, ModelResidency> { ["gone"] = ModelResidency.Ready });
        _control.Hear("worker-1");

        var swept = await SweepAsync("gone");

        Assert.Equal((false, "worker-0"), (swept.Published, string.Join(",", swept.Dropped)));
        Assert.Equal(["DELETE worker-0 models/gone"], _control.Sidecar.Invocations);
    }

    [Fact]
    public async Task Tidy_OfASucceededJob_KeepsItsResult()
    {
        _control.Hear("worker-0");
        await _control.JobAsync("a", job => job.Submit(ControlHarness.Spec()));
        await _control.JobAsync("a", job => job.Dispatch());
        await _control.JobAsync("a", job => job.Started(_control.LastReport()));
        var early = await _control.JobAsync("a", job => job.Tidy());
        await _control.JobAsync("a", job => job.Complete(_control.LastReport(new JobResult("jobs/a/results-1.jsonl", 2, 9))));

        var tidied = await _control.JobAsync("a", job => job.Tidy());

        Assert.Null(early);
        Assert.Equal(new TidyAnswer(2, 30), tidied);
        Assert.Equal([("worker-0", "a", 1L)], _control.Tidied);
    }

    [Fact]
    public async Task Tidy_OfACancelledOrUnknownJob_KeepsNothing()
    {
        _control.Hear("worker-0");
        await _control.JobAsync("a", job => job.Submit(ControlHarness.Spec()));
        await _control.JobAsync("a", job => job.Cancel());

        await _control.JobAsync("a", job => job.Tidy());
        var unknown = await _control.JobAsync("b", job => job.Tidy());

        Assert.Equal([("worker-0", "a", (long?)null)], _control.Tidied);
        Assert.Null(unknown);
    }

    private Task<ModelSweep> SweepAsync(string model) => _control.TurnAsync<IModelActor, ModelSweep>(nameof(ModelActor), model, actor => actor.Sweep());
}
