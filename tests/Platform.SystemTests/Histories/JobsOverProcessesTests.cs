using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Platform.Jobs;

namespace Platform.SystemTests.Histories;

/// <summary>The path of a call and of a job through real processes: what works when nothing fails, and when one thing does.</summary>
public sealed class JobsOverProcessesTests : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(40);
    private PlatformUnderTest? _platform;

    private PlatformUnderTest Platform => _platform!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _platform = await PlatformUnderTest.StartAsync(new Dictionary<string, string> { ["Control__Lease"] = "00:00:06" }, null, Cancelled);

    public async ValueTask DisposeAsync()
    {
        if (_platform is not null)
        {
            await _platform.DisposeAsync();
        }
    }

    [Fact]
    public async Task Completion_ColdThenWarm_ReadsTheBytesOnce()
    {
        var cold = await CompleteAsync();
        var warm = await CompleteAsync();

        Assert.True(cold.ObjectStoreBytes > 0);
        Assert.Equal(0, warm.ObjectStoreBytes);
        Assert.Equal(cold.Text, warm.Text);
        Assert.Equal(ModelResidency.Ready, (await Platform.NodesAsync(Cancelled)).Nodes.Single(node => node.Heartbeat.Worker == "worker-0").Heartbeat.Models[PlatformUnderTest.Model]);
    }

    [Fact]
    public async Task Job_Submitted_SucceedsWithResultsInOrder()
    {
        await Platform.SubmitAsync(Spec("plain", 6), Cancelled);
        await Platform.DispatchAsync("plain", Cancelled);

        var status = await EndOfAsync("plain");

        Assert.Equal(JobState.Succeeded, status.State);
        Assert.Equal(Enumerable.Range(0, 6), await IndexesAsync(status));
        using var metrics = await Platform.Invoker.SendAsync(Platform.Invoker.CreateInvokeMethodRequest(HttpMethod.Get, status.Attempts[0].Worker, "metrics"), HttpCompletionOption.ResponseContentRead, Cancelled);
        var page = await metrics.Content.ReadAsStringAsync(Cancelled);
        Assert.Contains("platform_worker_job_attempts_total{outcome=\"succeeded\"} 1\n", page, StringComparison.Ordinal);
        Assert.Contains("# TYPE platform_worker_object_storage_read_bytes_total counter\n", page, StringComparison.Ordinal);
        Assert.Contains("# TYPE platform_dataplane_tier_used_bytes gauge\n", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Job_WorkerKilledMidway_SucceedsInTheSecondAttempt()
    {
        await Platform.SubmitAsync(Spec("killed", 1000), Cancelled);
        await Platform.DispatchAsync("killed", Cancelled);
        await UntilRunningAsync("killed");
        var first = (await Platform.GetAsync("killed", Cancelled))!.Attempts[0].Worker;

        Platform.Apps[first].Kill();

        var status = await EndOfAsync("killed");
        Assert.Equal(JobState.Succeeded, status.State);
        Assert.Equal(["lost", "succeeded"], status.Attempts.Select(attempt => attempt.Outcome));
        Assert.NotEqual(first, status.Attempts[1].Worker);
        Assert.Equal(Enumerable.Range(0, 1000), await IndexesAsync(status));
    }

    [Fact]
    public async Task Job_ControlKilledMidway_GoesOnInTheSameAttempt()
    {
        await Platform.SubmitAsync(Spec("orphan", 400), Cancelled);
        await Platform.DispatchAsync("orphan", Cancelled);
        await UntilProgressAsync("orphan");

        Platform.Apps[AppIds.Control].Kill();
        Platform.Apps[AppIds.Control].Start();

        var status = await EndOfAsync("orphan");
        Assert.Equal(JobState.Succeeded, status.State);
        Assert.Single(status.Attempts);
    }

    [Fact]
    public async Task Job_Cancelled_StopsTheWorker()
    {
        await Platform.SubmitAsync(Spec("cancelled", 1000), Cancelled);
        await Platform.DispatchAsync("cancelled", Cancelled);
        await UntilProgressAsync("cancelled");

        await Platform.Job("cancelled").InvokeMethodAsync("Cancel", Cancelled);

        Assert.Equal(JobState.Cancelled, (await EndOfAsync("cancelled")).State);
        await Platform.UntilAsync("no worker runs it", Limit, async () => (await Platform.NodesAsync(Cancelled)).Nodes.All(node => node.Heartbeat.RunningJobs == 0), Cancelled);
        await Platform.UntilAsync("its parts are gone", Limit, async () => !await Platform.Storage.ListAsync(ObjectKeys.JobParts("cancelled"), Cancelled).AnyAsync(Cancelled), Cancelled);
    }

    private static JobSpec Spec(string id, int items) => new()
    {
        Id = id,
        Kind = JobKinds.BatchInfer,
        Model = PlatformUnderTest.Model,
        Prompts = [.. Enumerable.Range(0, items).Select(i => $"item {i}")],
        MaxTokens = 64,
    };

    // The first report of a worker comes at the start of a job, the next one up to a second later, when a short job is over.
    private Task UntilRunningAsync(string id) =>
        Platform.UntilAsync("a worker runs it", Limit, async () => (await Platform.GetAsync(id, Cancelled))!.State == JobState.Running, Cancelled);

    private Task UntilProgressAsync(string id) =>
        Platform.UntilAsync("some items are done", Limit, async () => (await Platform.GetAsync(id, Cancelled))!.Progress.Done > 0, Cancelled);

    private async Task<JobStatus> EndOfAsync(string id)
    {
        JobStatus? status = null;
        await Platform.UntilAsync($"job {id} ends", Limit, async () => (status = await Platform.GetAsync(id, Cancelled)) is not null && JobTransitions.IsTerminal(status.State), Cancelled);
        return status!;
    }

    private async Task<IEnumerable<int>> IndexesAsync(JobStatus status)
    {
        using var results = new StreamReader(await Platform.Storage.OpenReadAsync(status.Result!.Key, null, Cancelled));
        return [.. (await results.ReadToEndAsync(Cancelled)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("index").GetInt32())];
    }

    private async Task<(long ObjectStoreBytes, string Text)> CompleteAsync()
    {
        using var request = Platform.Invoker.CreateInvokeMethodRequest(HttpMethod.Post, "worker-0", Routes.WorkerCompletions);
        request.Content = new StringContent($$"""{"model":"{{PlatformUnderTest.Model}}","prompt":"Hello","max_tokens":8,"temperature":0}""", Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
        using var response = await Platform.Invoker.SendAsync(request, HttpCompletionOption.ResponseContentRead, Cancelled);
        var body = await response.Content.ReadAsStringAsync(Cancelled);
        Assert.True(response.IsSuccessStatusCode, body + Platform.Output);
        return (long.Parse(response.Headers.GetValues(Routes.ObjectStoreBytesHeader).Single()), JsonDocument.Parse(body).RootElement.GetProperty("choices")[0].GetProperty("text").GetString()!);
    }
}
