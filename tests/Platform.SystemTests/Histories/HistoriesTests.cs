using Platform.Jobs;

namespace Platform.SystemTests.Histories;

/// <summary>Real processes under faults: killed, paused, cut off from their sidecars, with wrong clocks and a network that loses, repeats and delays their messages, while many seeded histories run side by side. <c>PLATFORM_HISTORIES=10000</c> runs that many seeds, <c>PLATFORM_HISTORY_SEED</c> sets the first.</summary>
public sealed class HistoriesTests
{
    private const int DefaultSeeds = 200;
    private const int SideBySide = 25;
    private const int FaultsPerBatch = 2;

    [Fact]
    public async Task Jobs_UnderFaults_EndOnceWithOneResultAndLoseNothing()
    {
        var cancelled = TestContext.Current.CancellationToken;
        var seeds = int.TryParse(Environment.GetEnvironmentVariable("PLATFORM_HISTORIES"), out var count) ? count : DefaultSeeds;
        var first = int.TryParse(Environment.GetEnvironmentVariable("PLATFORM_HISTORY_SEED"), out var seed) ? seed : 1;
        await using var network = new UnreliableNetwork(first);
        await using var platform = await PlatformUnderTest.StartAsync(
            new Dictionary<string, string>
            {
                ["Control__Lease"] = "00:00:02",
                ["Control__NodeWindow"] = "00:00:02",
                ["Control__JobHeartbeat"] = "00:00:00.4",
                ["Control__LeaseCheck"] = "00:00:00.5",
                // Once, for a doorbell that was lost; after that nobody but a free slot wakes a job, or the history says so.
                ["Control__QueueCheck"] = "00:00:02",
                ["Control__QueueRecheck"] = "00:05:00",
                ["Control__RetryDelay"] = "00:00:00.2",
                ["Worker__KeepItemsEvery"] = "00:00:00.2",
                ["Worker__ExecEnabled"] = "true",
                ["Worker__MaxJobs"] = "4",
                ["Worker__Grace"] = "00:00:00.2",
                ["Worker__PriceMicrosPerHour"] = "1234567",
            },
            network,
            cancelled);

        var used = new UsageTotals();
        foreach (var batch in Enumerable.Range(first, seeds).Chunk(SideBySide))
        {
            var storm = new Storm(platform, batch[0]);
            var histories = batch.Select(number => new History(platform, number)).ToArray();
            network.IsBad = true;
            var blowing = storm.BlowAsync(FaultsPerBatch, cancelled);
            var violations = (await Task.WhenAll(histories.Select(history => history.RunAsync(cancelled)))).SelectMany(found => found).ToArray();
            await blowing;
            network.IsBad = false;
            Assert.True(violations.Length == 0, $"Again with PLATFORM_HISTORY_SEED={batch[0]} PLATFORM_HISTORIES={batch.Length}\n{string.Join('\n', violations)}\n{string.Join('\n', storm.Events)}\n{network.Summary}\n{platform.Output}");
            used = histories.Aggregate(used, (sum, history) => sum + history.Usage);
        }

        Assert.True(seeds < DefaultSeeds || network.HasDoneEverything, network.Summary);
        await AllListedAsTheyEndedAsync(platform, cancelled);
        await platform.UntilAsync("usage is the sum of all ledgers", TimeSpan.FromSeconds(30), async () => await UsageAsync(platform, cancelled) == used, cancelled);
    }

    private static async Task<UsageTotals> UsageAsync(PlatformUnderTest platform, CancellationToken cancellationToken) => (await platform.Actors.CreateActorProxy(AppIds.JobIndexActor, AppIds.IndexActorId)
        .InvokeMethodAsync("Usage", new UsageRequest(UsageKeys.Tenant, null), JobsJson.Default.UsageRequest, JobsJson.Default.UsageTable, cancellationToken)).Total;

    /// <summary>The index is told after the state; it may be late, but not wrong for long.</summary>
    private static Task AllListedAsTheyEndedAsync(PlatformUnderTest platform, CancellationToken cancellationToken) => platform.UntilAsync("the index shows every job as ended", TimeSpan.FromSeconds(60), async () =>
    {
        string? after = null;
        do
        {
            var page = await platform.Actors.CreateActorProxy(AppIds.JobIndexActor, AppIds.IndexActorId)
                .InvokeMethodAsync("List", new JobListRequest(after, 500, null), JobsJson.Default.JobListRequest, JobsJson.Default.JobList, cancellationToken);
            if (page.Jobs.Count == 0 || !page.Jobs.All(job => JobTransitions.IsTerminal(job.State)))
            {
                return false;
            }

            after = page.Next;
        }
        while (after is not null);
        return true;
    }, cancellationToken);
}
