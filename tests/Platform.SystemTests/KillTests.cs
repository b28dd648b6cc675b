using System.Diagnostics;
using Platform.Jobs;

namespace Platform.SystemTests;

/// <summary>kill -9 of any one process, then the same calls again.</summary>
public sealed class KillTests(RunningPlatform platform) : IClassFixture<RunningPlatform>
{
    [Theory]
    [InlineData("control")]
    [InlineData("worker-0")]
    [InlineData("worker-1")]
    [InlineData("functions")]
    public async Task Kill_OneProcess_TheSameCallsWorkAgain(string name)
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var before = (string)(await platform.CompleteAsync("Once upon a time", cancellationToken))["choices"]![0]!["text"]!;
        var job = await platform.SubmitAsync(Batch(maxTokens: 8), cancellationToken);
        await platform.EndOfJobAsync(job.Id, cancellationToken);
        var killed = PlatformProcess.ProcessIds(platform.Home)[name];

        Kill(killed);

        var again = (await platform.CompleteAsync("Once upon a time", cancellationToken))["choices"]![0]!["text"]!;
        Assert.Equal(before, (string)again!);
        var kept = await platform.JobAsync(job.Id, cancellationToken);
        Assert.Equal(JobState.Succeeded, kept.State);
        var next = await platform.SubmitAsync(Batch(maxTokens: 8), cancellationToken);
        Assert.Equal(JobState.Succeeded, (await platform.EndOfJobAsync(next.Id, cancellationToken)).State);
        await RunningPlatform.UntilAsync(() => Task.FromResult(PlatformProcess.ProcessIds(platform.Home).TryGetValue(name, out var id) && id != killed), $"{name} to be started again", cancellationToken);
    }

    [Fact]
    public async Task KillSupervisor_InTheMiddleOfAJob_NextUpFindsItsStateAndEndsTheJob()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var before = (string)(await platform.CompleteAsync("Once upon a time", cancellationToken))["choices"]![0]!["text"]!;
        var job = await platform.SubmitAsync(Batch(maxTokens: 64), cancellationToken);
        var children = PlatformProcess.ProcessIds(platform.Home).Values;

        await platform.KillSupervisorAsync(cancellationToken);
        await platform.StartAsync(cancellationToken);

        Assert.All(children, AssertGone);
        var ended = await platform.EndOfJobAsync(job.Id, cancellationToken);
        Assert.Equal(JobState.Succeeded, ended.State);
        Assert.Equal(16, ended.Result!.Items);
        Assert.Equal(before, (string)(await platform.CompleteAsync("Once upon a time", cancellationToken))["choices"]![0]!["text"]!);
    }

    [Fact]
    public async Task Interrupt_StopsEveryProcessAndTheNextUpFindsItsState()
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var job = await platform.SubmitAsync(Batch(maxTokens: 4), cancellationToken);
        await platform.EndOfJobAsync(job.Id, cancellationToken);
        var children = PlatformProcess.ProcessIds(platform.Home).Values;

        await platform.Up.InterruptAsync(cancellationToken);

        Assert.Equal(0, platform.Up.ExitCode);
        Assert.All(children, AssertGone);
        await platform.StartAsync(cancellationToken);
        Assert.Equal(JobState.Succeeded, (await platform.JobAsync(job.Id, cancellationToken)).State);
    }

    private static JobSpec Batch(int maxTokens) => new()
    {
        Id = Names.NewJobId(),
        Kind = JobKinds.BatchInfer,
        Model = "demo",
        Prompts = [.. Enumerable.Range(0, 16).Select(item => $"Story number {item}:")],
        MaxTokens = maxTokens,
        MaxAttempts = 10,
    };

    private static void Kill(int processId)
    {
        using var process = Process.GetProcessById(processId);
        process.Kill();

        // Until the system has closed its sockets, a call may still be sent into the dying process.
        process.WaitForExit();
    }

    private static void AssertGone(int processId) => Assert.False(Directory.Exists($"/proc/{processId}"), $"process {processId} is still there");
}
