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
    public async Task Submit_OfATraining_MakesAModelThatCanBePublished()
    {
        Directory.CreateDirectory(platform.PathOf("texts"));
        await File.WriteAllTextAsync(platform.PathOf("texts/small.txt"), string.Concat(Enumerable.Repeat("One day a fox met a bear. They had a nap in the sun.\n", 200)), Cancelled);
        var file = Path.Combine(platform.Home, "train.yaml");
        await File.WriteAllTextAsync(file, "id: trained\nkind: train\ninput: texts/small.txt\ntraining: { steps: 6, batch: 2, hidden: 16, intermediate: 32, layers: 1, heads: 2, keyValueHeads: 1, vocabulary: 270, context: 16 }\n", Cancelled);

        await using var submit = await RunAsync("submit", file, "--wait");
        var job = await platform.JobAsync("trained", Cancelled);
        await using var push = await PlatformProcess.RunAsync(Cancelled, "models", "push", platform.PathOf(job.Result!.Key), "--name", "trained", "--home", platform.Home);

        Assert.True(submit.ExitCode == 0 && push.ExitCode == 0, submit.Everything() + push.Everything());
        Assert.Equal((3, new JobProgress(6, 6)), (job.Result.Items, job.Progress));
    }

    [Fact]
    public async Task Submit_MistypedYaml_NamesEveryFaultAndSubmitsNothing()
    {
        var file = Path.Combine(platform.Home, "mistyped.yaml");
        await File.WriteAllTextAsync(file, "id: mistyped\nkind: exce\ncomand: [echo]\nresources: { cpu: lots }\nretry: { finalExitCodes: [0] }\n", Cancelled);

        await using var submit = await RunAsync("submit", file);
        await using var get = await RunAsync("get", "mistyped");

        var said = submit.Everything();
        Assert.True(submit.ExitCode == 1 && get.ExitCode == 4, said + get.Everything());
        Assert.All((string[])["$.kind: unknown kind 'exce'", "$.comand: there is no such member; did you mean 'command'?", "$.resources.cpu: found \"lots\"", "$.retry.finalExitCodes[0]: 0 is out of range"], fault => Assert.Contains(fault, said, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Get_OfAJobThatWaits_SaysWhyForEachNode()
    {
        await using var filling = await platform.FillAsync("full-g", Cancelled);
        await platform.SubmitAsync(Shell("waiting", "true"), Cancelled);
        await platform.UntilAsync("waiting", job => job.Reason!.Contains("which is its limit", StringComparison.Ordinal), Cancelled);

        await using var get = await RunAsync("get", "waiting");
        await using var logs = await RunAsync("logs", "waiting");
        await using var cancel = await RunAsync("cancel", "waiting");

        var said = string.Join(' ', string.Join(' ', get.Output).Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("Queued. No node can take it: worker-0 runs 2 job(s), which is its limit; worker-1 runs 2 job(s), which is its limit.", said, StringComparison.Ordinal);
        Assert.Contains("waiting has had no attempt", logs.Everything(), StringComparison.Ordinal);
        Assert.Equal(0, cancel.ExitCode);
    }

    [Fact]
    public async Task List_WithFiltersAndPages_ShowsEachJobOnce()
    {
        foreach (var i in Enumerable.Range(0, 5))
        {
            await platform.RunAsync(Shell($"listed-{i}", $"exit {i % 2}") with { MaxAttempts = 1, Labels = new Dictionary<string, string> { ["tenant"] = "lister", ["half"] = $"{i / 3}" } }, Cancelled);
        }

        var pages = new List<string[]>();
        for (string? after = null; pages.Count == 0 || after is not null;)
        {
            await using var page = await RunAsync(["ls", "--label", "tenant=lister", "--limit", "2", "--json", .. after is null ? (string[])[] : ["--after", after]]);
            var list = JsonSerializer.Deserialize(string.Join('\n', page.Output), JobsJson.Default.JobList)!;
            pages.Add([.. list.Jobs.Select(job => job.Id)]);
            after = list.Next;
        }

        await using var filtered = await RunAsync("ls", "--label", "tenant=lister", "--label", "half=0", "--state", "DeadLettered", "--kind", "exec");
        Assert.Equal([["listed-4", "listed-3"], ["listed-2", "listed-1"], ["listed-0"]], pages);
        Assert.Equal(["listed-1"], filtered.Output.SelectMany(line => line.Split(' ')).Where(word => word.StartsWith("listed-", StringComparison.Ordinal)));
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
