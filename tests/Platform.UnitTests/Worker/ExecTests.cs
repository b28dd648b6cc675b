using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane.Nvme;
using Platform.Jobs;
using Platform.Worker;
using Platform.Worker.Jobs;
using Platform.Worker.Jobs.Exec;

namespace Platform.UnitTests.Worker;

/// <summary>Real commands in real process groups. Skipped where there are none.</summary>
public sealed class ExecTests : IAsyncLifetime
{
    private readonly InMemoryObjects _storage = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("exec-").FullName;
    private readonly WorkerOptions _options = new() { ExecEnabled = true, Grace = TimeSpan.FromSeconds(30), CheckpointEvery = TimeSpan.FromMilliseconds(20) };
    private NvmeTier? _tier;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(CommandProcess.IsSupported, "commands need Linux with setsid and /bin/sh");
        _options.Home = _folder;
        _tier = await NvmeTier.OpenAsync(new NvmeTierOptions { Folder = Path.Combine(_folder, "tier"), LimitBytes = 64 << 20 }, NullLogger.Instance, Cancelled);
    }

    public async ValueTask DisposeAsync()
    {
        if (_tier is not null)
        {
            await _tier.DisposeAsync();
        }

        ExecFolders.Delete(_folder);
    }

    [Fact]
    public async Task Command_ReadsItsArtifactsAndWritesOutput_WhichIsUploadedUnderTheToken()
    {
        _storage.Add("in/words", "one two three\n");
        var spec = Spec("/bin/sh", "-c", "cat {artifacts}/words.txt; mkdir {output}/sub; wc -w < \"$PLATFORM_ARTIFACTS/words.txt\" > {output}/sub/count; echo ::progress 1/2; echo dev=$CUDA_VISIBLE_DEVICES id=$PLATFORM_JOB_ID try=$PLATFORM_ATTEMPT mine=$MINE")
            with
        { Artifacts = new Dictionary<string, string> { ["in/words"] = "words.txt" }, Environment = new Dictionary<string, string> { ["MINE"] = "yes" } };

        var (result, context) = await RunAsync(spec, devices: [1, 3]);

        Assert.Equal(("jobs/j/output-7/", 1, 0), (result.Key, result.Items, result.ExitCode));
        Assert.Equal("3", _storage.TextOf("jobs/j/output-7/sub/count").Trim());
        Assert.Equal(new JobProgress(1, 2), context.Progress);
        var log = LogOf(context);
        Assert.Contains("one two three", log, StringComparison.Ordinal);
        Assert.Contains("dev=1,3 id=j try=2 mine=yes", log, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Node().WorkFolder));
    }

    [Fact]
    public async Task Command_ThatFails_SaysItsExitCode()
    {
        var failure = await FailAsync(Spec("/bin/sh", "-c", "echo why >&2; exit 3"));

        Assert.Equal((ErrorCodes.CommandFailed, 3, true), (failure.Code, failure.ExitCode, failure.Retryable));
    }

    [Fact]
    public async Task Command_EndedByASignal_Is128AndItsNumber() =>
        Assert.Equal(128 + 15, (await FailAsync(Spec("/bin/sh", "-c", "kill -TERM $$"))).ExitCode);

    [Fact]
    public async Task Command_ThatDoesNotExist_FailsForGood()
    {
        var failure = await FailAsync(Spec("no-such-program"));

        Assert.Equal((ErrorCodes.CommandNotFound, false), (failure.Code, failure.Retryable));
    }

    [Fact]
    public async Task Artifact_ThatDoesNotExist_FailsForGood()
    {
        var failure = await FailAsync(Spec("true") with { Artifacts = new Dictionary<string, string> { ["in/none"] = "none" } });

        Assert.Equal((ErrorCodes.ObjectNotFound, false), (failure.Code, failure.Retryable));
    }

    [Fact]
    public async Task Command_OnANodeThatDoesNotAllowIt_IsRefusedClearly()
    {
        _options.ExecEnabled = false;

        var failure = await FailAsync(Spec("true"));

        Assert.Equal((ErrorCodes.ExecDisabled, false), (failure.Code, failure.Retryable));
        Assert.Contains("Worker:ExecEnabled", failure.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{output}")]
    [InlineData("{scratch}")]
    public async Task Command_ThatWritesTooMuch_IsKilled(string folder)
    {
        var spec = Spec("/bin/sh", "-c", $"head -c 5000 /dev/zero > {folder}/big; sleep 300") with { Resources = new JobResources { OutputBytes = 4000, ScratchBytes = 4000 } };

        var failure = await FailAsync(spec);

        Assert.Equal((ErrorCodes.QuotaExceeded, false), (failure.Code, failure.Retryable));
        Assert.DoesNotContain(_storage.Keys, key => key.Contains("output", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Command_Cancelled_GetsSigtermAndItsCheckpointIsKept()
    {
        using var cancel = new CancellationTokenSource();
        var spec = Spec("/bin/sh", "-c", "trap 'echo saved > {checkpoint}/state; exit 0' TERM; echo ::progress 1/1; while :; do sleep 0.05; done");
        var context = Context(spec, []);
        var run = Handler().RunAsync(context, cancel.Token);
        await UntilAsync(() => context.Progress is not null);

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        Assert.Equal("saved\n", _storage.TextOf("jobs/j/checkpoint/state"));
    }

    [Fact]
    public async Task Command_ThatIgnoresSigterm_IsKilledWithAllOfItsProcesses()
    {
        using var cancel = new CancellationTokenSource();
        var spec = Spec("/bin/sh", "-c", "trap '' TERM; sleep 300 & echo $! > {checkpoint}/child; echo ::progress 1/1; while :; do sleep 0.05; done") with { GraceSeconds = 0 };
        var context = Context(spec, []);
        var run = Handler().RunAsync(context, cancel.Token);
        await UntilAsync(() => context.Progress is not null && _storage.Keys.Contains("jobs/j/checkpoint/child"));

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run);
        await UntilAsync(() => !IsRunning(int.Parse(_storage.TextOf("jobs/j/checkpoint/child").Trim())));
    }

    [Fact]
    public async Task Command_ThatLeavesProcessesBehind_IsOverWithThemKilled()
    {
        var (_, _) = await RunAsync(Spec("/bin/sh", "-c", "sleep 300 & echo $! > {output}/child"));

        await UntilAsync(() => !IsRunning(int.Parse(_storage.TextOf("jobs/j/output-7/child").Trim())));
    }

    [Fact]
    public async Task Command_SecondAttempt_FindsTheCheckpointOfTheFirst()
    {
        await FailAsync(Spec("/bin/sh", "-c", "mkdir -p {checkpoint}/deep; echo 41 > {checkpoint}/deep/step; echo half > {checkpoint}/next.tmp; exit 1"));

        await RunAsync(Spec("/bin/sh", "-c", "echo $(($(cat {checkpoint}/deep/step) + 1)) > {output}/step"));

        Assert.Equal("42", _storage.TextOf("jobs/j/output-7/step").Trim());
        Assert.DoesNotContain(_storage.Keys, key => key.EndsWith(".tmp", StringComparison.Ordinal));
    }

    [Fact]
    public async Task CleanUp_AfterARefusal_RemovesTheOutputAndAtTheEndTheCheckpoint()
    {
        _storage.Add("jobs/j/output-7/a", "x");
        _storage.Add("jobs/j/output-6/a", "x");
        _storage.Add("jobs/j/checkpoint/a", "x");

        await Handler().CleanUpAsync(Context(Spec("true"), []), new LeaseAnswer(false, false, JobState.Running), Cancelled);
        Assert.Equal(["jobs/j/checkpoint/a", "jobs/j/output-6/a"], _storage.Keys);

        await Handler().CleanUpAsync(Context(Spec("true"), []), new LeaseAnswer(false, true, JobState.Cancelled), Cancelled);
        Assert.Equal(["jobs/j/output-6/a"], _storage.Keys);
    }

    private static JobSpec Spec(params string[] command) => new() { Id = "j", Kind = JobKinds.Exec, Command = command };

    private WorkerNode Node() => new("worker-0", Microsoft.Extensions.Options.Options.Create(_options));

    private ExecHandler Handler() => new(_tier!, _storage, Node(), TimeProvider.System, Microsoft.Extensions.Options.Options.Create(_options));

    private JobContext Context(JobSpec spec, int[] devices) => new(
        new RunJobRequest { JobId = "j", Attempt = 2, Token = 7, Spec = spec, HeartbeatMilliseconds = 1000 },
        new AttemptLog(Path.Combine(_folder, "logs", "1.log"), 1 << 20, TimeProvider.System),
        devices,
        CancellationToken.None);

    private async Task<(JobResult Result, JobContext Context)> RunAsync(JobSpec spec, int[]? devices = null)
    {
        var context = Context(spec, devices ?? []);
        return (await Handler().RunAsync(context, Cancelled), context);
    }

    private async Task<JobFailure> FailAsync(JobSpec spec) => (await Assert.ThrowsAsync<JobFailedException>(() => RunAsync(spec))).Failure;

    private static string LogOf(JobContext context)
    {
        using var file = new FileStream(context.Log.Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(file, Encoding.UTF8);
        return reader.ReadToEnd();
    }

    /// <summary>A process that was killed and not yet taken away by its parent runs no more.</summary>
    private static bool IsRunning(int process)
    {
        try
        {
            return !File.ReadAllText($"/proc/{process}/stat").Contains(") Z ", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        while (!condition())
        {
            await Task.Delay(5, Cancelled);
        }
    }
}
