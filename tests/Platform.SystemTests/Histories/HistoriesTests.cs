using Platform.Jobs;

namespace Platform.SystemTests.Histories;

/// <summary>Real processes under faults: killed, paused, cut off from their sidecars. <c>PLATFORM_HISTORIES=200</c> runs that many seeds, <c>PLATFORM_HISTORY_SEED</c> sets the first.</summary>
public sealed class HistoriesTests
{
    private const int DefaultSeeds = 3;

    [Fact]
    public async Task Jobs_UnderFaults_EndOnceWithOneResultAndLoseNothing()
    {
        var cancelled = TestContext.Current.CancellationToken;
        var seeds = int.TryParse(Environment.GetEnvironmentVariable("PLATFORM_HISTORIES"), out var count) ? count : DefaultSeeds;
        var first = int.TryParse(Environment.GetEnvironmentVariable("PLATFORM_HISTORY_SEED"), out var seed) ? seed : 1;
        await using var platform = await PlatformUnderTest.StartAsync(
            new Dictionary<string, string>
            {
                ["Control__Lease"] = "00:00:02",
                ["Control__NodeWindow"] = "00:00:02",
                ["Control__JobHeartbeat"] = "00:00:00.4",
                ["Control__LeaseCheck"] = "00:00:00.5",
                // Long: a job that nobody wakes would not end in time, and the history would say so.
                ["Control__QueueCheck"] = "00:05:00",
                ["Control__RetryDelay"] = "00:00:00.2",
                ["Worker__KeepItemsEvery"] = "00:00:00.2",
            },
            cancelled);

        for (var i = 0; i < seeds; i++)
        {
            var violations = await new History(platform, first + i).RunAsync(cancelled);
            Assert.True(violations.Count == 0, string.Join('\n', violations) + "\n" + platform.Output);
        }

        await AllListedAsTheyEndedAsync(platform, cancelled);
    }

    /// <summary>The index is told after the state; it may be late, but not wrong for long.</summary>
    private static Task AllListedAsTheyEndedAsync(PlatformUnderTest platform, CancellationToken cancellationToken) => platform.UntilAsync("the index shows every job as ended", TimeSpan.FromSeconds(30), async () =>
    {
        var page = await platform.Actors.CreateActorProxy(AppIds.JobIndexActor, AppIds.IndexActorId)
            .InvokeMethodAsync("List", new JobListRequest(null, 500, null), JobsJson.Default.JobListRequest, JobsJson.Default.JobList, cancellationToken);
        return page.Jobs.Count > 0 && page.Jobs.All(job => JobTransitions.IsTerminal(job.State));
    }, cancellationToken);
}
