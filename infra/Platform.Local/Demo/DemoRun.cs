using System.Diagnostics;
using System.Text.Json.Nodes;
using Platform.DataPlane.ObjectStorage;
using Platform.Jobs;
using Platform.Local.Cli;
using Platform.Local.Supervisor;
using Spectre.Console;

namespace Platform.Local.Demo;

/// <summary>The steps of <c>platform demo</c>. Each does something real through the public surface and checks what came of it; the first that is not as it should be ends the demo.</summary>
internal sealed class DemoRun
{
    private const string Model = "demo";
    private const string Prompt = "Once upon a time";
    private const int Items = 16;

    private readonly LocalPlatform _platform;
    private readonly HomeFolder _home;
    private readonly PlatformClient _client;
    private readonly IAnsiConsole _console;
    private DemoReport _report = new();

    private DemoRun(LocalPlatform platform, HomeFolder home, PlatformClient client, IAnsiConsole console)
    {
        _platform = platform;
        _home = home;
        _client = client;
        _console = console;
    }

    /// <summary>Starts a platform, runs every step, stops the platform.</summary>
    /// <returns>What was seen; <see cref="DemoReport.Ok"/> only if all of it is as it should be.</returns>
    public static async Task<DemoReport> RunAsync(LocalPlatformOptions options, IAnsiConsole console, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        console.MarkupLineInterpolated($"[bold]1. Start the platform[/] (state in {options.Home.Root})");
        DemoReport report;
        await using (var platform = await LocalPlatform.StartAsync(options, cancellationToken))
        {
            using var client = new PlatformClient(platform.Url ?? throw new PlatformException($"{options.Template.Path} has no function app, whose HTTP surface the demo calls. Use the repository's own dapr.yaml."), key: null);
            var run = new DemoRun(platform, options.Home, client, console);
            try
            {
                await run.RunStepsAsync(cancellationToken);
                report = run._report with { Ok = true };
            }
            catch (PlatformException error)
            {
                console.MarkupLineInterpolated($"[red]The demo failed: {error.Message}[/]");
                console.MarkupLineInterpolated($"The logs of all processes are in {options.Home.Logs}.");
                report = run._report with { Error = error.Message };
            }

            report = report with { TotalMs = Math.Round(Stopwatch.GetElapsedTime(started).TotalMilliseconds, 1) };
            console.MarkupLine("[bold]7. Stop everything[/]");
        }

        if (report.Ok)
        {
            console.MarkupLineInterpolated($"[green]Every step did what it says[/], in {report.TotalMs / 1000:0.0} s. Next: platform up, then platform infer -m {Model} \"{Prompt}\".");
        }

        return report;
    }

    private async Task RunStepsAsync(CancellationToken cancellationToken)
    {
        await WaitForWorkersAsync(cancellationToken);
        _report = _report with { Processes = [.. _platform.Processes.Select(process => new DemoProcess(process.Name, process.ProcessId ?? throw new PlatformException($"{process.Name} is not running.")))] };
        _console.Write(RunningTable.Of(_platform));

        _console.MarkupLine("[bold]2. Publish the demo model into object storage[/]");
        await PublishAsync(cancellationToken);

        _console.MarkupLineInterpolated($"[bold]3. A cold call[/]: nothing of the model is near a worker. Prompt: {Prompt}");
        var (cold, coldReport) = await CallAsync(cancellationToken);
        _report = _report with { Cold = cold };
        Expect(cold.ObjectStoreBytes > 0, "the cold call read nothing from object storage");
        Expect(cold.Tokens > 0 && cold.Text.Trim().Length > 0, "the cold call made no text");
        Expect(cold.Pieces > 1, "the cold call's text did not stream: it came in one piece");

        _console.MarkupLine("[bold]4. The same call, warm[/]");
        var (warm, warmReport) = await CallAsync(cancellationToken);
        _report = _report with { Warm = warm };
        Expect(warm.ObjectStoreBytes == 0, $"the warm call read {warm.ObjectStoreBytes} bytes from object storage");
        Expect(warm.Text == cold.Text, "the warm call, greedy on the same weights, made another text than the cold one");
        _console.Write(DemoTables.Phases(coldReport, warmReport));

        _console.MarkupLineInterpolated($"[bold]5. A job[/]: {Items} prompts through the HTTP function into the queue, run by the queue trigger");
        var job = await RunJobAsync(maxTokens: 32, whileRunning: null, cancellationToken);
        _report = _report with { Job = job };

        _console.MarkupLine("[bold]6. Another job; its worker is killed with SIGKILL while it runs[/]");
        var killed = false;
        var killedJob = await RunJobAsync(
            maxTokens: 160,
            whileRunning: status =>
            {
                if (!killed && status.State == JobState.Running)
                {
                    killed = Kill(status.Attempts[^1].Worker);
                }
            },
            cancellationToken);
        _report = _report with { KilledJob = killedJob };
        Expect(killed, "the job ended before its worker could be killed");
        Expect(killedJob.Attempts >= 2, $"the job took {killedJob.Attempts} attempt although its worker was killed");
    }

    private async Task WaitForWorkersAsync(CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        while ((await _client.GetStatusAsync(cancellationToken)).Nodes.Count(node => node.Alive) < 2)
        {
            Expect(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(30), "the two workers did not report within 30 s");
            await Task.Delay(TimeSpan.FromMilliseconds(50), cancellationToken);
        }
    }

    private async Task PublishAsync(CancellationToken cancellationToken)
    {
        // A demo before this one may have left the model near a worker, and then the call would not be cold.
        if ((await _client.ListModelsAsync(cancellationToken)).Any(model => model.Manifest.Name == Model))
        {
            await _client.RemoveModelAsync(Model, cancellationToken);
            await ModelPublisher.RemoveObjectsAsync(Model, _home, cancellationToken);
        }

        var folder = ModelFolder.Open(Path.Combine(AppContext.BaseDirectory, "demo-model"), Model);
        await ModelPublisher.PublishAsync(folder, _home, _client, _console, cancellationToken);
    }

    private async Task<(DemoCall Call, CompletionReport Report)> CallAsync(CancellationToken cancellationToken)
    {
        var request = new JsonObject { ["model"] = Model, ["prompt"] = Prompt, ["max_tokens"] = 64, ["temperature"] = 0 };
        var report = new CompletionReport();
        var text = new System.Text.StringBuilder();
        var pieces = 0;
        _console.Markup($"   [blue]{Prompt}[/]");
        await foreach (var piece in _client.CompleteAsync(request, report, cancellationToken))
        {
            pieces++;
            text.Append(piece);
            _console.Write(new Text(piece));
        }

        _console.WriteLine();
        var phases = ServerTiming.Phases.ToDictionary(phase => phase, phase => Math.Round(report.Phases.GetValueOrDefault(phase).TotalMilliseconds, 3));
        return (new DemoCall(Math.Round(report.Total.TotalMilliseconds, 3), phases, report.ObjectStoreBytes, report.NvmeBytes, report.Tokens, pieces, text.ToString()), report);
    }

    private async Task<DemoJob> RunJobAsync(int maxTokens, Action<JobStatus>? whileRunning, CancellationToken cancellationToken)
    {
        var spec = new JobSpec
        {
            Id = Names.NewJobId(),
            Kind = JobKinds.BatchInfer,
            Model = Model,
            Prompts = [.. Enumerable.Range(0, Items).Select(DemoPrompts.At)],
            MaxTokens = maxTokens,
            MaxAttempts = 5,
        };
        await _client.SubmitJobAsync(spec, cancellationToken);
        var job = await JobProgressBar.WaitAsync(_client, spec.Id, _console, cancellationToken, whileRunning);
        _console.Write(JobView.Attempts(job));
        Expect(job.State == JobState.Succeeded, $"job {job.Id} ended as {job.State}: {job.Failure?.Message ?? job.Reason}");
        var items = await DemoResults.CountAsync(ObjectStorageLocation.Open(ObjectStorageLocation.Resolve(_home.Objects)), job, cancellationToken);
        Expect(items == Items, $"job {job.Id} has {items} results for {Items} prompts");
        return new DemoJob(job.Id, job.State.ToString(), job.Attempts.Count, items);
    }

    private bool Kill(string worker)
    {
        if (_platform.Processes.FirstOrDefault(process => process.Name == worker)?.ProcessId is not { } processId)
        {
            return false;
        }

        using var process = Process.GetProcessById(processId);
        process.Kill();
        _console.MarkupLineInterpolated($"   [red]killed {worker}[/] (process {processId})");
        return true;
    }

    private static void Expect(bool good, string otherwise)
    {
        if (!good)
        {
            throw new PlatformException(otherwise + ".");
        }
    }
}
