using System.Net;
using Platform.Jobs;
using static Platform.SystemTests.Jobs.JobsPlatform;

namespace Platform.SystemTests.Jobs;

/// <summary>Arrays, dead letters, time to live, logs and usage, as a user of the public surface and of the command meets them.</summary>
[Collection(nameof(JobsPlatform))]
public sealed class JobSurfaceTests(JobsPlatform platform)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Array_WithAnIndexThatFailsOnceAndOneThatAlwaysDoes_RetriesEachAloneAndSumsUp()
    {
        const string Line = "sleep 0.3; [ {index} = 3 ] && [ $PLATFORM_ATTEMPT = 1 ] && exit 7; [ {index} = 5 ] && exit 9; echo $PLATFORM_ARRAY_INDEX of $PLATFORM_ARRAY_SIZE > {output}/who";
        var spec = Shell("many", Line) with { Array = new JobArray { Size = 6, Parallelism = 2 }, Retry = new JobRetryPolicy { FinalExitCodes = [9] }, Labels = new Dictionary<string, string> { ["tenant"] = "array" } };

        var parent = await platform.RunAsync(spec, Cancelled);

        Assert.Equal((JobState.Failed, ErrorCodes.ArrayFailed), (parent.State, parent.Failure!.Code));
        Assert.Equal((6, 5, 1, 0), (parent.Array!.Submitted, parent.Array.Succeeded, parent.Array.Failed, parent.Array.Cancelled));
        Assert.Equal([5], parent.Array.FailedIndexes);
        var children = await Task.WhenAll(Enumerable.Range(0, 6).Select(index => platform.JobAsync($"many-{index}", Cancelled)));
        Assert.Equal([1, 1, 1, 2, 1, 1], children.Select(child => child.Attempts.Count));
        Assert.Equal("4 of 6", (await File.ReadAllTextAsync(platform.PathOf(children[4].Result!.Key + "who"), Cancelled)).Trim());
        foreach (var attempt in children.SelectMany(child => child.Attempts))
        {
            Assert.InRange(children.Count(child => child.SubmittedAt <= attempt.PlacedAt && attempt.PlacedAt < child.EndedAt), 1, 2);
        }
    }

    [Fact]
    public async Task DeadLetters_AreListedAndReplayed_ByTheCommand()
    {
        var flag = Path.Combine(platform.Home, "mended");
        await platform.RunAsync(Shell("broken", $"test -e {flag}") with { MaxAttempts = 2 }, Cancelled);

        await using var list = await PlatformProcess.RunAsync(Cancelled, "jobs", "dead-letters", "ls", "--home", platform.Home);
        await File.WriteAllTextAsync(flag, "", Cancelled);
        await using var replay = await PlatformProcess.RunAsync(Cancelled, "jobs", "dead-letters", "replay", "broken", "--home", platform.Home);
        await using var again = await PlatformProcess.RunAsync(Cancelled, "jobs", "dead-letters", "replay", "broken", "--home", platform.Home);

        Assert.Contains("broken", list.Everything(), StringComparison.Ordinal);
        Assert.True(replay.ExitCode == 0 && again.ExitCode == 0, replay.Everything() + again.Everything());
        Assert.Equal(JobState.Succeeded, (await platform.EndOfJobAsync("broken-retry-1", Cancelled)).State);
        Assert.Equal("broken", (await platform.JobAsync("broken-retry-1", Cancelled)).Spec.RetryOf);
        Assert.Equal(JobState.DeadLettered, (await platform.JobAsync("broken", Cancelled)).State);
    }

    [Fact]
    public async Task TimeToLive_Passed_NothingOfTheJobIsLeftButItsUsage()
    {
        var labels = new Dictionary<string, string> { ["tenant"] = "short-lived" };
        var job = await platform.RunAsync(Shell("brief", "echo gone soon; echo x > {output}/x") with { TtlSeconds = 5, Labels = labels }, Cancelled);
        var used = UsageTotals.Of(job.Attempts, job.Result);

        await RunningPlatform.UntilAsync(async () => await StatusOfAsync("api/jobs/brief") == HttpStatusCode.NotFound, "the removal of the job", Cancelled);

        Assert.False(Directory.Exists(platform.PathOf(ObjectKeys.JobFolder("brief"))) && Directory.EnumerateFiles(platform.PathOf(ObjectKeys.JobFolder("brief")), "*", SearchOption.AllDirectories).Any());
        Assert.DoesNotContain("brief", await platform.Http.GetStringAsync(new Uri("api/jobs?label=tenant=short-lived", UriKind.Relative), Cancelled), StringComparison.Ordinal);
        Assert.Equal(used, (await platform.UsageAsync("tenant", Cancelled)).Rows.Single(row => row.Key == "short-lived").Totals);
    }

    [Fact]
    public async Task TimeToLive_OfAnArray_RemovesItsIndexesWithIt()
    {
        var array = await platform.RunAsync(Shell("brief-array", "echo x > {output}/x") with { TtlSeconds = 8, Array = new JobArray { Size = 3 } }, Cancelled);
        var first = await platform.JobAsync("brief-array-0", Cancelled);

        await RunningPlatform.UntilAsync(async () => await StatusOfAsync("api/jobs/brief-array") == HttpStatusCode.NotFound, "the removal of the array", Cancelled);

        Assert.Equal((JobState.Succeeded, "jobs/brief-array-{index}/"), (array.State, array.Result!.Key));
        Assert.Null(first.ExpiresAt);
        for (var index = 0; index < 3; index++)
        {
            Assert.Equal(HttpStatusCode.NotFound, await StatusOfAsync($"api/jobs/brief-array-{index}"));
            Assert.False(File.Exists(platform.PathOf(ObjectKeys.JobOutput($"brief-array-{index}", first.Attempts[0].Token) + "x")));
        }
    }

    [Fact]
    public async Task Retry_OfAnIndexThatFailed_RunsAsThatIndex()
    {
        var flag = Path.Combine(platform.Home, "index-mended");
        await platform.RunAsync(Shell("indexed", $"[ $PLATFORM_ARRAY_INDEX = 0 ] || test -e {flag} || exit 1; echo $PLATFORM_ARRAY_INDEX of $PLATFORM_ARRAY_SIZE > {{output}}/who") with { MaxAttempts = 1, Array = new JobArray { Size = 2 } }, Cancelled);
        await File.WriteAllTextAsync(flag, "", Cancelled);

        await using var replay = await PlatformProcess.RunAsync(Cancelled, "jobs", "dead-letters", "replay", "indexed-1", "--home", platform.Home);

        var job = await platform.EndOfJobAsync("indexed-1-retry-1", Cancelled);
        Assert.True(job.State == JobState.Succeeded, replay.Everything());
        Assert.Equal("1 of 2", (await File.ReadAllTextAsync(platform.PathOf(job.Result!.Key + "who"), Cancelled)).Trim());
        Assert.Equal([1], (await platform.JobAsync("indexed", Cancelled)).Array!.FailedIndexes);
    }

    [Fact]
    public async Task Logs_AreFollowedFromAnOffset_AndKeptInObjectStorageAfterTheEnd()
    {
        await platform.SubmitAsync(Shell("chatty", "for i in 1 2 3 4 5 6; do echo line $i; sleep 0.2; done"), Cancelled);

        var all = await FollowAsync("api/jobs/chatty/logs?follow=true", null);

        Assert.Equal(Enumerable.Range(1, 6).Select(i => $"line {i}"), all.Where(one => one.Data.Contains(" line ", StringComparison.Ordinal)).Select(one => one.Data[(one.Data.IndexOf(' ') + 1)..]));
        Assert.Equal("end", all[^1].Type);
        var third = all.Single(one => one.Data.EndsWith("line 3", StringComparison.Ordinal));
        var rest = await FollowAsync("api/jobs/chatty/logs?follow=true", third.Id);
        Assert.Equal(all.SkipWhile(one => one != third).Skip(1), rest);
        var offset = third.Id[(third.Id.IndexOf(':') + 1)..];
        Assert.Equal(rest, await FollowAsync($"api/jobs/chatty/logs?follow=true&attempt=1&offset={offset}", null));
        var kept = platform.PathOf(ObjectKeys.JobLog("chatty", 1));
        await RunningPlatform.UntilAsync(() => Task.FromResult(File.Exists(kept)), "the kept log", Cancelled);
        Assert.Equal(await File.ReadAllTextAsync(kept, Cancelled), await platform.Http.GetStringAsync(new Uri("api/jobs/chatty/logs", UriKind.Relative), Cancelled));
    }

    [Fact]
    public async Task Usage_ByTheCommand_IsExactlyTheTimeOfTheLeases()
    {
        var labels = new Dictionary<string, string> { ["tenant"] = "exact", ["function"] = "sum" };
        var jobs = await Task.WhenAll(Enumerable.Range(0, 4).Select(i => platform.RunAsync(Shell($"sum-{i}", $"sleep 0.{i}; [ $PLATFORM_ATTEMPT -gt 1 ] || exit 1") with { Labels = labels }, Cancelled)));

        await using var usage = await PlatformProcess.RunAsync(Cancelled, "usage", "--by", "function", "--json", "--home", platform.Home);

        var row = System.Text.Json.JsonSerializer.Deserialize(string.Concat(usage.Output), JobsJson.Default.UsageTable)!.Rows.Single(one => one.Key == "sum").Totals;
        var attempts = jobs.SelectMany(job => job.Attempts).ToArray();
        Assert.Equal((4, 8), (row.Jobs, row.Attempts));
        Assert.Equal(attempts.Sum(attempt => attempt.EndedAt!.Value.ToUnixTimeMilliseconds() - attempt.PlacedAt.ToUnixTimeMilliseconds()), row.LeaseMs);
        Assert.Equal(attempts.Sum(attempt => attempt.Ledger!.LeaseMs), row.CostMicros); // A node costs one millionth per millisecond here.
    }

    private async Task<HttpStatusCode> StatusOfAsync(string path)
    {
        using var answer = await platform.Http.GetAsync(new Uri(path, UriKind.Relative), Cancelled);
        return answer.StatusCode;
    }

    /// <summary>Server-sent events until the stream ends.</summary>
    private async Task<List<(string Id, string Type, string Data)>> FollowAsync(string path, string? lastEventId)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(path, UriKind.Relative));
        if (lastEventId is not null)
        {
            request.Headers.Add("Last-Event-ID", lastEventId);
        }

        using var answer = await platform.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancelled);
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType!.MediaType);
        using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync(Cancelled));
        var events = new List<(string Id, string Type, string Data)>();
        var (id, type) = ("", "line");
        while (await lines.ReadLineAsync(Cancelled) is { } line)
        {
            id = line.StartsWith("id: ", StringComparison.Ordinal) ? line[4..] : id;
            type = line.StartsWith("event: ", StringComparison.Ordinal) ? line[7..] : type;
            if (line.StartsWith("data: ", StringComparison.Ordinal))
            {
                events.Add((id, type, line[6..]));
                type = "line";
            }
        }

        return events;
    }
}
