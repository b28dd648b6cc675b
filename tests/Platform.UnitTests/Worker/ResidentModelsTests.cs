using Microsoft.Extensions.Logging.Abstractions;
using Platform.Jobs;
using Platform.UnitTests.Control;
using Platform.Worker;
using Platform.Worker.Engines;
using Platform.Worker.Models;

namespace Platform.UnitTests.Worker;

public sealed class ResidentModelsTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly FakeLoader _loader;
    private readonly NodeChanges _changes = new();
    private readonly ResidentModels _models;

    public ResidentModelsTests()
    {
        _loader = new FakeLoader(_time);
        var options = Microsoft.Extensions.Options.Options.Create(new WorkerOptions { Home = Path.GetTempPath(), DeviceCapacityBytes = 1000 });
        _models = new ResidentModels(_loader, new WorkerNode("worker-0", options), _changes, _time, NullLogger<ResidentModels>.Instance);
    }

    [Fact]
    public async Task Acquire_ManyCallersOfAColdModel_LoadOnceAndAllSeeWhatTheyWaitedFor()
    {
        var gate = new TaskCompletionSource();
        _loader.Gate = gate.Task;
        var calls = Enumerable.Range(0, 16).Select(_ => AcquireAsync("a", 400)).ToArray();
        Assert.Equal(ModelResidency.Loading, _models.Residency()["a"]);

        gate.SetResult();
        var leases = await Task.WhenAll(calls);

        Assert.Single(_loader.Loads);
        Assert.All(leases, lease => Assert.Equal(
            (400L, 7L, TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(10)),
            (lease.ObjectStoreBytes, lease.NvmeBytes, lease.Staged, lease.Loading)));
        Assert.Equal(600, _models.FreeBytes);
    }

    [Fact]
    public async Task ReadyIn_OfAModelThatIsBeingLoaded_CountsDownWhatWasPredicted()
    {
        var gate = new TaskCompletionSource();
        (_loader.Gate, _loader.Expected) = (gate.Task, TimeSpan.FromSeconds(40));
        Assert.Null(_models.ReadyIn("a"));
        var call = AcquireAsync("a", 400);

        _time.Advance(TimeSpan.FromSeconds(15));
        Assert.Equal((true, TimeSpan.FromSeconds(25)), (_models.IsLoading("a"), _models.ReadyIn("a")));
        Assert.Equal([new("a", 25)], _models.ReadyInSeconds());
        _time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(TimeSpan.Zero, _models.ReadyIn("a"));

        gate.SetResult();
        using var lease = await call;
        Assert.Equal((false, null), (_models.IsLoading("a"), _models.ReadyIn("a")));
        Assert.Empty(_models.ReadyInSeconds());
    }

    [Fact]
    public async Task ReadyIn_NothingPredicted_IsNotKnown()
    {
        var gate = new TaskCompletionSource();
        _loader.Gate = gate.Task;
        var call = AcquireAsync("a", 400);

        Assert.Equal((true, null), (_models.IsLoading("a"), _models.ReadyIn("a")));
        gate.SetResult();
        (await call).Dispose();
    }

    [Fact]
    public async Task Acquire_ReadyModel_WaitedForNothing()
    {
        (await AcquireAsync("a", 400)).Dispose();

        using var lease = await AcquireAsync("a", 400);

        Assert.Equal((0L, 0L, TimeSpan.Zero, TimeSpan.Zero), (lease.ObjectStoreBytes, lease.NvmeBytes, lease.Staged, lease.Loading));
        Assert.Equal(ModelResidency.Ready, _models.Residency()["a"]);
    }

    [Fact]
    public async Task Acquire_NoRoom_EvictsTheLeastRecentlyUsedIdleModel()
    {
        foreach (var model in (string[])["a", "b", "a"])
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            (await AcquireAsync(model, 400)).Dispose();
        }

        using var lease = await AcquireAsync("c", 400);

        Assert.Equal(["a", "c"], _models.Residency().Keys.Order());
        Assert.True(_loader.Loads.Single(load => load.Model == "b").Engine.IsDisposed);
    }

    [Fact]
    public async Task Acquire_EveryModelInUse_IsRefusedAndNothingIsEvicted()
    {
        using var a = await AcquireAsync("a", 600);

        var fault = await Assert.ThrowsAsync<EngineException>(() => AcquireAsync("b", 600));

        Assert.Equal(ErrorCodes.TooManyRequests, fault.Code);
        Assert.Equal(["a"], _models.Residency().Keys);
    }

    [Fact]
    public async Task Acquire_LargerThanTheDevice_SaysBothSizes()
    {
        var fault = await Assert.ThrowsAsync<EngineException>(() => AcquireAsync("a", 1001));

        Assert.Equal(ErrorCodes.StorageFull, fault.Code);
        Assert.Contains("worker-0: 'a' needs 1001 bytes", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Acquire_TheOneThatLeavesIsStillInUse_WaitsUntilItsMemoryIsFree()
    {
        var old = await AcquireAsync("a", 600);
        await _models.DropAsync("a", TestContext.Current.CancellationToken);

        var next = AcquireAsync("b", 600);

        Assert.Equal(ModelResidency.Loading, _models.Residency()["b"]);
        Assert.False(next.IsCompleted);
        old.Dispose();
        using var lease = await next;
        Assert.True(_loader.Loads[0].Engine.IsDisposed);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Sleep_LeavesTheDevice_AndTheNextCallWakesIt(bool inHostMemory)
    {
        (await AcquireAsync("a", 400)).Dispose();
        _loader.Images.Add("a");

        _models.Sleep("a", inHostMemory);

        Assert.True(_loader.Loads[0].Engine.IsDisposed);
        Assert.Equal(1000, _models.FreeBytes);
        Assert.Equal(inHostMemory, _models.Residency().TryGetValue("a", out var residency) && residency == ModelResidency.Host);
        using var lease = await AcquireAsync("a", 400);
        Assert.Equal(ModelResidency.Ready, _models.Residency()["a"]);
    }

    [Fact]
    public async Task Acquire_LoadFails_EveryAskerHearsItAndTheNextOneTriesAnew()
    {
        _loader.Gate = Task.FromException(EngineException.ModelInvalid("bad weights"));
        await Assert.ThrowsAsync<EngineException>(() => AcquireAsync("a", 400));
        Assert.Empty(_models.Residency());

        _loader.Gate = Task.CompletedTask;
        using var lease = await AcquireAsync("a", 400);

        Assert.Equal(2, _loader.Loads.Count);
        Assert.Equal(600, _models.FreeBytes);
    }

    [Fact]
    public async Task Acquire_PublishedAgainWithOtherFiles_LoadsTheNewOneAndLetsTheOldOneFinish()
    {
        var old = await AcquireAsync("a", 400);

        using var lease = await _models.AcquireAsync(ControlHarness.Manifest("a", 500), TestContext.Current.CancellationToken);

        Assert.Equal(2, _loader.Loads.Count);
        Assert.False(_loader.Loads[0].Engine.IsDisposed);
        old.Dispose();
        Assert.True(_loader.Loads[0].Engine.IsDisposed);
        Assert.False(_loader.Loads[1].Engine.IsDisposed);
    }

    [Fact]
    public async Task Acquire_AskerLeaves_TheLoadGoesOn()
    {
        var gate = new TaskCompletionSource();
        _loader.Gate = gate.Task;
        using var leaving = new CancellationTokenSource();
        var call = _models.AcquireAsync(ControlHarness.Manifest("a", 400), leaving.Token);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);

        gate.SetResult();
        using var lease = await AcquireAsync("a", 400);

        Assert.Single(_loader.Loads);
    }

    [Fact]
    public async Task ReleaseIdle_OfAModel_WaitsForItsLastCallAndTheTime()
    {
        var lease = await AcquireAsync("a", 400);
        _time.Advance(TimeSpan.FromHours(1));
        Assert.False(_models.ReleaseIdle("a", TimeSpan.FromMinutes(15)));
        lease.Dispose();
        _time.Advance(TimeSpan.FromMinutes(14));
        Assert.False(_models.ReleaseIdle("a", TimeSpan.FromMinutes(15)));
        _time.Advance(TimeSpan.FromMinutes(1));

        Assert.True(_models.ReleaseIdle("a", TimeSpan.FromMinutes(15)));

        Assert.False(_models.ReleaseIdle("a", TimeSpan.Zero));
        Assert.Empty(_models.Residency());
        Assert.True(_loader.Loads.Single().Engine.IsDisposed);
        Assert.Empty(_loader.Forgotten);
    }

    [Fact]
    public async Task Drop_InUse_LeavesMemoryWhenTheLastCallIsDone()
    {
        var lease = await AcquireAsync("a", 400);
        await _models.DropAsync("a", TestContext.Current.CancellationToken);

        Assert.Empty(_models.Residency());
        Assert.Equal(["a"], _loader.Forgotten);
        Assert.False(_loader.Loads[0].Engine.IsDisposed);
        lease.Dispose();
        Assert.True(_loader.Loads[0].Engine.IsDisposed);
    }

    public async ValueTask DisposeAsync()
    {
        await _models.DisposeAsync();
        _changes.Dispose();
    }

    private Task<ModelLease> AcquireAsync(string model, long bytes) => _models.AcquireAsync(ControlHarness.Manifest(model, bytes), TestContext.Current.CancellationToken);
}
