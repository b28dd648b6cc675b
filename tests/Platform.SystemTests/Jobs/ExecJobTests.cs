using Platform.Jobs;
using static Platform.SystemTests.Jobs.JobsPlatform;

namespace Platform.SystemTests.Jobs;

/// <summary>Commands as jobs, over the public surface: quotas, exit codes, limits, cancellation, objects that do not exist.</summary>
[Collection(nameof(JobsPlatform))]
public sealed class ExecJobTests(JobsPlatform platform)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("exit 3", 3)]
    [InlineData("kill -9 $$", 128 + 9)]
    public async Task ExitCode_OtherThanZero_IsTheJobsFailure(string line, int code)
    {
        var job = await platform.RunAsync(Shell($"code-{code}", line) with { MaxAttempts = 2 }, Cancelled);

        Assert.Equal((JobState.DeadLettered, ErrorCodes.CommandFailed, code), (job.State, job.Failure!.Code, job.Failure.ExitCode));
        Assert.Equal(["failed", "failed"], job.Attempts.Select(attempt => attempt.Outcome));
    }

    [Theory]
    [InlineData("output", "resources.outputBytes")]
    [InlineData("scratch", "resources.scratchBytes")]
    public async Task Quota_Exceeded_KillsTheCommandForGood(string folder, string named)
    {
        var job = await platform.RunAsync(Shell($"quota-{folder}", $"head -c 50000 /dev/zero > {{{folder}}}/x; sleep 30") with { Resources = new JobResources { OutputBytes = 1000, ScratchBytes = 1000 } }, Cancelled);

        Assert.Equal((JobState.Failed, ErrorCodes.QuotaExceeded), (job.State, job.Failure!.Code));
        Assert.Contains(named, job.Failure.Message, StringComparison.Ordinal);
        Assert.Single(job.Attempts);
        Assert.False(Directory.Exists(platform.PathOf(ObjectKeys.JobOutput(job.Id, job.Attempts[0].Token))));
    }

    [Fact]
    public async Task Cancel_GivesTheCommandItsGrace()
    {
        const string Line = "trap 'echo told to stop; echo saved > {checkpoint}/state; exit 0' TERM; echo up; while :; do sleep 0.05; done";
        await platform.SubmitAsync(Shell("grace", Line) with { GraceSeconds = 20 }, Cancelled);
        await platform.UntilAsync("grace", job => job.State == JobState.Running, Cancelled);
        await RunningPlatform.UntilAsync(async () => (await LogAsync("grace")).Contains("up\n", StringComparison.Ordinal), "the first line of the command", Cancelled);

        using var answer = await platform.PostAsync("api/jobs/grace/cancel", "", Cancelled);

        Assert.Equal(JobState.Cancelled, (await platform.EndOfJobAsync("grace", Cancelled)).State);
        await RunningPlatform.UntilAsync(async () => (await LogAsync("grace")).Contains("told to stop", StringComparison.Ordinal), "the command's last line", Cancelled);
        await RunningPlatform.UntilAsync(async () => (await platform.NodesAsync(Cancelled)).All(node => node.Heartbeat.RunningJobs == 0), "a free node", Cancelled);
    }

    [Fact]
    public async Task Memory_OverItsLimit_EndsTheCommandWhereTheNodeCanLimitIt()
    {
        const string Line = "head -c 300000000 /dev/zero | tail | wc -c";
        var job = await platform.RunAsync(Shell("limited", Line) with { MaxAttempts = 1, Resources = new JobResources { MemoryBytes = 32 << 20, Cpu = 0.5 } }, Cancelled);

        var log = await LogAsync("limited");
        if (log.Split('\n').FirstOrDefault(line => line.Contains("counted but not limited", StringComparison.Ordinal)) is { } reason)
        {
            Assert.Equal(JobState.Succeeded, job.State);
            Assert.Skip($"this node cannot make control groups: {reason[(reason.IndexOf(':', reason.IndexOf("limited", StringComparison.Ordinal)) + 2)..]}");
        }

        Assert.True(job.State == JobState.DeadLettered || log.Contains("Killed", StringComparison.Ordinal), log);
    }

    [Fact]
    public async Task Artifact_ThatDoesNotExist_FailsAtOnceWithItsNameAndWhereItWasLookedFor()
    {
        var job = await platform.RunAsync(Shell("missing", "true") with { Artifacts = Missing() }, Cancelled);

        CheckMissing(job);
    }

    [Fact]
    public async Task Artifact_ThatDoesNotExist_FailsAJobThatWaitsWithoutItsTurn()
    {
        await using var filling = await platform.FillAsync("full-a", Cancelled);

        var job = await platform.RunAsync(Shell("missing-waits", "true") with { Artifacts = Missing() }, Cancelled);

        CheckMissing(job);
        Assert.Empty(job.Attempts);
    }

    [Fact]
    public async Task Deadline_PassesInTheQueue_FailsThereWithoutAnAttempt()
    {
        await using var filling = await platform.FillAsync("full-d", Cancelled);
        await platform.SubmitAsync(Shell("late", "true") with { DeadlineSeconds = 1 }, Cancelled);
        await platform.UntilAsync("late", job => job.Reason!.Contains("which is its limit", StringComparison.Ordinal) || JobTransitions.IsTerminal(job.State), Cancelled);

        var job = await platform.EndOfJobAsync("late", Cancelled);

        Assert.Equal((JobState.Failed, ErrorCodes.DeadlineExceeded), (job.State, job.Failure!.Code));
        Assert.Empty(job.Attempts);
        Assert.InRange(job.EndedAt!.Value - job.SubmittedAt, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task Spec_LargerThanAMessageOfTheQueue_RunsAllTheSame()
    {
        string[] arguments = [.. Enumerable.Range(0, 100).Select(i => new string('x', 4000))];

        var job = await platform.RunAsync(Shell("large", "") with { Command = ["/bin/sh", "-c", "echo $# > {output}/count", "sh", .. arguments] }, Cancelled);

        Assert.Equal(JobState.Succeeded, job.State);
        Assert.Equal("100", (await File.ReadAllTextAsync(platform.PathOf(job.Result!.Key + "count"), Cancelled)).Trim());
    }

    [Fact]
    public async Task Devices_ManyJobsAtOnce_AreNeverGivenTwice()
    {
        // Making a folder is atomic: a second holder of the same device fails for good.
        var held = Path.Combine(platform.Home, "held");
        Directory.CreateDirectory(held);
        var line = $"d={held}/$PLATFORM_NODE-$CUDA_VISIBLE_DEVICES; mkdir $d || exit 9; sleep 0.1; rmdir $d";

        var jobs = await Task.WhenAll(Enumerable.Range(0, 10).Select(i => platform.RunAsync(
            Shell($"device-{i}", line) with { Resources = new JobResources { Devices = 1 }, Retry = new JobRetryPolicy { FinalExitCodes = [9] } }, Cancelled)));

        Assert.All(jobs, job => Assert.True(job.State == JobState.Succeeded, job.Reason));
        Assert.Equal(["worker-0", "worker-1"], jobs.Select(job => job.Attempts[^1].Worker).Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Node_ThatIsStopped_GivesTheCommandItsGraceAndHandsTheJobOnWithoutAnAttempt()
    {
        // The first run waits for its signal and saves; whoever goes on finds what was saved.
        const string Line = "[ -e {checkpoint}/state ] && cp {checkpoint}/state {output}/state && exit 0; trap 'echo saved > {checkpoint}/state; exit 5' TERM; echo up; while :; do sleep 0.05; done";
        await platform.SubmitAsync(Shell("handed-on", Line) with { MaxAttempts = 1 }, Cancelled);
        await RunningPlatform.UntilAsync(async () => (await LogAsync("handed-on")).Contains("up\n", StringComparison.Ordinal), "the first line of the command", Cancelled);
        var first = (await platform.JobAsync("handed-on", Cancelled)).Attempts[0].Worker;
        var stopped = (await platform.NodesAsync(Cancelled)).Single(node => node.Heartbeat.Worker == first).Heartbeat;

        using var kill = System.Diagnostics.Process.Start("kill", ["-TERM", stopped.ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture)]);

        var job = await platform.EndOfJobAsync("handed-on", Cancelled);
        Assert.Equal(JobState.Succeeded, job.State);
        Assert.Equal(["returned", "succeeded"], job.Attempts.Select(attempt => attempt.Outcome));
        Assert.Equal("saved", (await File.ReadAllTextAsync(platform.PathOf(job.Result!.Key + "state"), Cancelled)).Trim());
        await RunningPlatform.UntilAsync(
            async () => (await platform.NodesAsync(Cancelled)).Count(node => node.Alive && node.Heartbeat.InstanceId != stopped.InstanceId) == 2, "both workers after the restart", Cancelled);
    }

    private static Dictionary<string, string> Missing() => new() { ["data/gone-1"] = "one", ["data/gone-2"] = "two" };

    private void CheckMissing(JobStatus job)
    {
        Assert.Equal((JobState.Failed, ErrorCodes.ObjectNotFound), (job.State, job.Failure!.Code));
        Assert.Contains("'data/gone-1', 'data/gone-2' are not in object storage (", job.Failure.Message, StringComparison.Ordinal);
        Assert.Contains(platform.PathOf(""), job.Failure.Message + "/", StringComparison.Ordinal);
    }

    private async Task<string> LogAsync(string id)
    {
        using var answer = await platform.Http.GetAsync(new Uri($"api/jobs/{id}/logs", UriKind.Relative), Cancelled);
        return answer.IsSuccessStatusCode ? await answer.Content.ReadAsStringAsync(Cancelled) : "";
    }
}
