using System.Text.Json;
using Platform.Jobs;
using static Platform.SystemTests.Jobs.JobsPlatform;

namespace Platform.SystemTests.Jobs;

/// <summary>The verbs of <c>platform jobs</c> that wait for something, each as a process of its own.</summary>
[Collection(nameof(JobsPlatform))]
public sealed class JobCommandTests(JobsPlatform platform)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Submit_YamlWithFollow_PrintsTheLogAndThenTheEnd()
    {
        await using var submit = await RunAsync("submit", await WriteAsync("followed", "for i in 1 2 3; do echo line $i; sleep 0.1; done"), "--follow");

        Assert.True(submit.ExitCode == 0, submit.Everything());
        var places = new[] { "line 1", "line 2", "line 3", nameof(JobState.Succeeded) }.Select(what => submit.Output.ToList().FindIndex(line => line.Contains(what, StringComparison.Ordinal))).ToArray();
        Assert.True(places[0] >= 0 && places.SequenceEqual(places.Order()), submit.Everything());
    }

    [Fact]
    public async Task Submit_WithWaitAndJson_ExitsWithOneForAFailureAndPrintsNothingButTheJob()
    {
        await using var submit = await RunAsync("submit", await WriteAsync("awaited", "exit 3"), "--wait", "--json");

        Assert.True(submit.ExitCode == 1, submit.Everything());
        var job = JsonSerializer.Deserialize(string.Join('\n', submit.Output), JobsJson.Default.JobStatus)!;
        Assert.Equal(("awaited", JobState.DeadLettered), (job.Id, job.State));
    }

    [Fact]
    public async Task Logs_LongerThanOneRead_ArePrintedWhole()
    {
        const int Lines = 40_000;
        await platform.RunAsync(Shell("wordy", $"i=0; while [ $i -lt {Lines} ]; do i=$((i + 1)); echo \"line $i\"; done"), Cancelled);

        await using var logs = await RunAsync("logs", "wordy");

        Assert.Equal(Enumerable.Range(1, Lines).Select(i => $"line {i}"), logs.Output.Where(line => line.Contains(" line ", StringComparison.Ordinal)).Select(line => line[(line.IndexOf(' ') + 1)..]));
        Assert.True(logs.Output.Sum(line => line.Length) > 1 << 20);
    }

    [Fact]
    public async Task Retry_OfACancelledJob_RunsItsSpecUnderANewIdOnce()
    {
        var flag = Path.Combine(platform.Home, "go");
        await platform.SubmitAsync(Shell("stopped", $"test -e {flag} || sleep 60"), Cancelled);
        await platform.UntilAsync("stopped", job => job.State == JobState.Running, Cancelled);
        await using var cancel = await RunAsync("cancel", "stopped");
        await platform.EndOfJobAsync("stopped", Cancelled);
        await File.WriteAllTextAsync(flag, "", Cancelled);

        await using var retry = await RunAsync("retry", "stopped", "--wait");
        await using var again = await RunAsync("retry", "stopped", "--wait");
        await using var unknown = await RunAsync("retry", "nobody");

        Assert.True(cancel.ExitCode == 0 && retry.ExitCode == 0 && again.ExitCode == 0, cancel.Everything() + retry.Everything() + again.Everything());
        Assert.Single((await platform.JobAsync("stopped-retry-1", Cancelled)).Attempts);
        Assert.Equal(JobState.Cancelled, (await platform.JobAsync("stopped", Cancelled)).State);
        Assert.True(unknown.ExitCode == 4 && unknown.Errors.Any(line => line.Contains("nobody", StringComparison.Ordinal)), unknown.Everything());
    }

    private Task<PlatformProcess> RunAsync(params string[] arguments) => PlatformProcess.RunAsync(Cancelled, ["jobs", .. arguments, "--home", platform.Home]);

    private async Task<string> WriteAsync(string id, string line)
    {
        var file = Path.Combine(platform.Home, id + ".yaml");
        await File.WriteAllTextAsync(file, $"id: {id}\nkind: exec\nmaxAttempts: 1\ncommand: [/bin/sh, -c, \"{line}\"]\n", Cancelled);
        return file;
    }
}
