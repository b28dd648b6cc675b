using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Platform.Dapr;
using Platform.Jobs;
using Platform.UnitTests.Control;
using Platform.Worker;
using Platform.Worker.Jobs;
using Platform.Worker.Models;

namespace Platform.UnitTests.Worker;

public sealed class JobRunTests : IAsyncDisposable
{
    private readonly FakeTimeProvider _time = new();
    private readonly InMemoryObjects _storage = new();
    private readonly FakeReporter _reporter = new();
    private readonly FakeLoader _loader;
    private readonly NodeChanges _changes = new();
    private readonly WorkerMetrics _metrics = new();
    private readonly ResidentModels _models;
    private readonly AttemptRunner _runner;
    private readonly AttemptLogs _logs;
    private readonly string _folder = Directory.CreateTempSubdirectory("worker-").FullName;

    public JobRunTests()
    {
        var options = Microsoft.Extensions.Options.Options.Create(new WorkerOptions { Home = _folder, DeviceCapacityBytes = 1000, KeepItemsEvery = TimeSpan.Zero, BatchItems = 1 });
        var node = new WorkerNode("worker-0", options);
        _loader = new FakeLoader(_time);
        _models = new ResidentModels(_loader, node, _changes, _time, NullLogger<ResidentModels>.Instance);
        _logs = new AttemptLogs(node, _storage, _time, options, NullLogger<AttemptLogs>.Instance);
        _runner = new AttemptRunner([new BatchInferHandler(_models, _storage, _time, options)], _reporter, _logs, node, _metrics, _time, NullLogger<AttemptRunner>.Instance);
    }

    [Fact]
    public async Task Job_Prompts_GiveResultsInOrder()
    {
        await RunAsync(Lease(1, ["a", "b c", "d"]));

        Assert.Equal(["Started", "Complete"], _reporter.Said);
        Assert.Equal(new JobResult("jobs/j/results-1.jsonl", 3, 6), _reporter.Completed!.Result);
        Assert.Equal([(0, " 0 1", 1, 2), (1, " 0 1", 2, 2), (2, " 0 1", 1, 2)], Results("jobs/j/results-1.jsonl"));
        Assert.Equal(["jobs/j/logs/1.log", "jobs/j/results-1.jsonl"], _storage.Keys);
        Assert.Contains("3 item(s), 0 of them finished by earlier attempts", _storage.TextOf("jobs/j/logs/1.log"), StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Path.Combine(_folder, "nodes", "worker-0", "jobs")));
    }

    [Fact]
    public async Task Job_InputObject_TakesLinesAndJsonAndKeepsBadItemsApart()
    {
        _storage.Add("in/prompts.txt", "plain words\n\n{\"prompt\":\"json\",\"maxTokens\":1}\n{\"text\":1}\n{broken\r\n" + string.Join(' ', Enumerable.Repeat("long", 30)) + "\nlast");

        await RunAsync(Lease(1, null) with { Spec = Spec(null) with { Input = "in/prompts.txt" } });

        var lines = _storage.TextOf("jobs/j/results-1.jsonl").Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement).ToArray();
        Assert.Equal([" 0 1", " 0", null, null, null, " 0 1"], lines.Select(line => line.TryGetProperty("text", out var text) ? text.GetString() : null));
        Assert.Equal(
            [ErrorCodes.InvalidJson, ErrorCodes.InvalidJson, ErrorCodes.PromptTooLong],
            lines.Where(line => line.TryGetProperty("error", out _)).Select(line => line.GetProperty("error").GetProperty("code").GetString()));
        Assert.Equal(6, _reporter.Completed!.Result!.Items);
    }

    [Fact]
    public async Task Job_InputMissing_FailsForGood()
    {
        await RunAsync(Lease(1, null) with { Spec = Spec(null) with { Input = "in/none" } });

        Assert.Equal((ErrorCodes.ObjectNotFound, false), (_reporter.Failed!.Failure!.Code, _reporter.Failed.Failure.Retryable));
    }

    [Fact]
    public async Task Job_SecondAttempt_DoesOnlyWhatTheFirstDidNotFinish()
    {
        // The node stops in the third item of the first attempt: the lease is handed back, nothing is cleaned up.
        _loader.Configure = engine => engine.BeforeToken = (prompt, _) => prompt == "c" ? Task.Delay(Timeout.Infinite, TestContext.Current.CancellationToken) : Task.CompletedTask;
        using var killed = new CancellationTokenSource();
        var first = _runner.RunAsync(Lease(1, ["a", "b", "c", "d"]), killed.Token);
        await UntilAsync(() => _storage.Keys.Count(key => key.StartsWith("jobs/j/parts/", StringComparison.Ordinal)) == 2);
        await killed.CancelAsync();
        await first;
        Assert.Equal(["Started", "Return"], _reporter.Said);

        var asked = new List<string>();
        _loader.Loads[0].Engine.BeforeToken = (prompt, i) =>
        {
            if (i == 0)
            {
                asked.Add(prompt);
            }

            return Task.CompletedTask;
        };
        await RunAsync(Lease(2, ["a", "b", "c", "d"]));

        Assert.Equal(["c", "d"], asked);
        Assert.Equal([0, 1, 2, 3], Results("jobs/j/results-2.jsonl").Select(item => item.Index));
        Assert.DoesNotContain(_storage.Keys, key => key.StartsWith("jobs/j/parts/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Job_PartsOfAnotherInput_DoNotCount()
    {
        _storage.Add("jobs/j/parts/000001-000000.jsonl", "{\"fingerprint\":\"other\"}\n{\"index\":0,\"text\":\"old\"}\n");
        _storage.Add("jobs/j/parts/000001-000001.jsonl", "");
        _storage.Add("jobs/j/parts/000001-000002.jsonl", "not json\n");

        await RunAsync(Lease(2, ["a"]));

        Assert.Equal([(0, " 0 1", 1, 2)], Results("jobs/j/results-2.jsonl"));
    }

    [Fact]
    public async Task Job_NotAcceptedAtStart_DoesNothing()
    {
        _reporter.Answer = _ => new LeaseAnswer(false, false, JobState.Running);

        await RunAsync(Lease(1, ["a"]));

        Assert.Equal(["Started"], _reporter.Said);
        Assert.Empty(_storage.Keys);
        Assert.Empty(_loader.Loads);
    }

    [Theory]
    [InlineData(false, JobState.Running)]
    [InlineData(true, JobState.Cancelled)]
    public async Task Job_RefusedMidway_StopsAndRemovesWhatItMay(bool cancelled, JobState state)
    {
        _loader.Configure = engine => engine.BeforeToken = (prompt, _) => prompt == "b" ? Task.Delay(Timeout.Infinite, TestContext.Current.CancellationToken) : Task.CompletedTask;
        _reporter.Answer = name => name == "Heartbeat" ? new LeaseAnswer(false, cancelled, state) : FakeReporter.Yes;
        var run = RunAsync(Lease(1, ["a", "b"]));
        await UntilAsync(() => _storage.Keys.Any());

        while (!run.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }

        await run;
        Assert.Equal(["Started", "Heartbeat"], _reporter.Said);
        // The parts stay for the attempt that holds the lease now, unless the job has ended.
        Assert.Equal(cancelled ? 0 : 1, _storage.Keys.Count(key => key.StartsWith("jobs/j/parts/", StringComparison.Ordinal)));
        Assert.DoesNotContain(_storage.Keys, key => key.Contains("results", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Job_CompleteRefused_RemovesItsResults()
    {
        _reporter.Answer = name => name == "Complete" ? new LeaseAnswer(false, false, JobState.Running) : FakeReporter.Yes;

        await RunAsync(Lease(1, ["a"]));

        Assert.DoesNotContain(_storage.Keys, key => key.Contains("results", StringComparison.Ordinal));
        Assert.Contains(_storage.Keys, key => key.Contains("parts", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Job_RefusedByAJobThatHasSucceeded_KeepsWhatMayBeItsResult()
    {
        _reporter.Answer = name => name == "Complete" ? new LeaseAnswer(false, false, JobState.Succeeded) : FakeReporter.Yes;

        await RunAsync(Lease(1, ["a"]));

        Assert.Contains("jobs/j/results-1.jsonl", _storage.Keys);
    }

    [Fact]
    public async Task Job_ControlAway_ReportsAreSaidAgain()
    {
        var losses = 3;
        _reporter.Answer = _ => losses-- > 0 ? throw new DaprActorException("away") : FakeReporter.Yes;
        var run = RunAsync(Lease(1, ["a"]));
        while (!run.IsCompleted)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            await Task.Yield();
        }

        await run;
        Assert.NotNull(_reporter.Completed);
    }

    [Fact]
    public async Task Log_LeftByAKilledProcess_IsKeptAtTheNextStart()
    {
        using (var log = _logs.Create("j", 3))
        {
            log.Write("was here");
        }

        Assert.EndsWith("was here\n", System.Text.Encoding.UTF8.GetString((await _logs.ReadAsync("j", 3, 0, TestContext.Current.CancellationToken))!), StringComparison.Ordinal);
        await _logs.KeepLeftOversAsync(TestContext.Current.CancellationToken);

        Assert.EndsWith("was here\n", _storage.TextOf("jobs/j/logs/3.log"), StringComparison.Ordinal);
        Assert.Equal("here\n"u8.ToArray(), await _logs.ReadAsync("j", 3, _storage.TextOf("jobs/j/logs/3.log").Length - 5, TestContext.Current.CancellationToken));
        Assert.Null(await _logs.ReadAsync("j", 4, 0, TestContext.Current.CancellationToken));
    }

    public async ValueTask DisposeAsync()
    {
        await _models.DisposeAsync();
        _changes.Dispose();
        _metrics.Dispose();
        Directory.Delete(_folder, true);
    }

    private static JobSpec Spec(string[]? prompts) => new() { Id = "j", Kind = JobKinds.BatchInfer, Model = "tiny", Prompts = prompts, MaxTokens = 2 };

    private static RunJobRequest Lease(long token, string[]? prompts) => new()
    {
        JobId = "j",
        Attempt = (int)token,
        Token = token,
        Spec = Spec(prompts),
        Model = ControlHarness.Manifest("tiny", 100),
        HeartbeatMilliseconds = 1000,
    };

    private Task RunAsync(RunJobRequest lease) => _runner.RunAsync(lease, TestContext.Current.CancellationToken);

    private static async Task UntilAsync(Func<bool> condition)
    {
        while (!condition())
        {
            TestContext.Current.CancellationToken.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    private IEnumerable<(int Index, string? Text, int PromptTokens, int CompletionTokens)> Results(string key) => _storage.TextOf(key)
        .Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Select(line => JsonSerializer.Deserialize(line, BatchJson.Default.ItemResult)!)
        .Select(item => (item.Index, item.Text, item.PromptTokens, item.CompletionTokens));

    /// <summary>The job's actor, as far as a worker sees it.</summary>
    private sealed class FakeReporter : ILeaseReporter
    {
        private readonly List<string> _said = [];

        public static LeaseAnswer Yes { get; } = new(true, false, JobState.Running);

        public Func<string, LeaseAnswer> Answer { get; set; } = name => name == "Complete" ? Yes with { State = JobState.Succeeded } : Yes;

        public IEnumerable<string> Said => _said.Distinct();

        public LeaseReport? Completed { get; private set; }

        public LeaseReport? Failed { get; private set; }

        public Task<LeaseAnswer> StartedAsync(string jobId, LeaseReport report, CancellationToken cancellationToken) => Say("Started");

        public Task<LeaseAnswer> HeartbeatAsync(string jobId, LeaseReport report, CancellationToken cancellationToken) => Say("Heartbeat");

        public Task<LeaseAnswer> CompleteAsync(string jobId, LeaseReport report, CancellationToken cancellationToken)
        {
            Completed = report;
            return Say("Complete");
        }

        public Task<LeaseAnswer> ReturnAsync(string jobId, LeaseReport report, CancellationToken cancellationToken) => Say("Return");

        public Task<LeaseAnswer> FailAsync(string jobId, LeaseReport report, CancellationToken cancellationToken)
        {
            Failed = report;
            return Say("Fail");
        }

        private async Task<LeaseAnswer> Say(string name)
        {
            await Task.Yield();
            var answer = Answer(name);
            _said.Add(name);
            return answer;
        }
    }
}
