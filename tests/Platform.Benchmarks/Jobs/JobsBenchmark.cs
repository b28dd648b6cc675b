using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Platform.Benchmarks.Dispatch;
using Platform.Control;
using Platform.Dapr;
using Platform.Dapr.Actors;
using Platform.Dapr.Http;
using Platform.Jobs;
using Platform.Local;
using Platform.Local.Sidecar;

namespace Platform.Benchmarks.Jobs;

/// <summary>What a job costs: durable submissions, the way from the submission to the running command, jobs that only wait. Control and a worker are processes; Redis is the peer of the same run.</summary>
/// <remarks><c>--queued N</c> sets how many jobs wait (20,000; the issue asks for 100,000).</remarks>
internal static class JobsBenchmark
{
    private const int Submissions = 2000;
    private const int AtOnce = 16;
    private const int Runs = 50;
    private const string Resources = """
        apiVersion: dapr.io/v1alpha1
        kind: Component
        metadata: { name: statestore }
        spec: { type: state.redis, version: v1, metadata: [{ name: redisHost, value: "localhost:6379" }, { name: actorStateStore, value: "true" }] }
        """;

    public static async Task<int> RunAsync(string[] args)
    {
        var queued = Array.IndexOf(args, "--queued") is var at and >= 0 && at + 1 < args.Length ? int.Parse(args[at + 1], CultureInfo.InvariantCulture) : 20_000;
        var folder = Directory.CreateTempSubdirectory("jobs-").FullName;
        var processes = new List<Process>();
        try
        {
            var resources = Directory.CreateDirectory(Path.Combine(folder, "components")).FullName;
            await File.WriteAllTextAsync(Path.Combine(resources, "all.yaml"), Resources);
            using var peers = new Peers(folder);
            var redis = await peers.StartRedisAsync();
            await using var cluster = await SidecarCluster.OpenAsync(new SidecarClusterOptions { StateFolder = Path.Combine(folder, "sidecar") }, CancellationToken.None);
            var control = await StartAsync(cluster, AppIds.Control, "functions/Platform.Control", folder, resources, processes);
            await using var driver = await cluster.StartAsync(new SidecarOptions { AppId = "driver", ResourcesPaths = [resources] }, CancellationToken.None);
            using var client = new SidecarClient(new DaprOptions { HttpEndpoint = new Uri($"http://127.0.0.1:{driver.HttpPort}/") });
            var actors = new ActorProxyFactory(client);
            await UntilAsync(async () => await GetAsync(actors, "nobody") is null);

            var figures = new List<(string Name, double? Value, string Unit)>();
            await MeasureSubmissionsAsync(figures, actors, redis);
            await MeasureWaitingAsync(figures, actors, control, Path.Combine(folder, "sidecar"), queued);
            await StartAsync(cluster, "worker-0", "dataplane/Platform.Worker", folder, resources, processes);
            await MeasureRunningAsync(figures, actors);
            Print(figures, args.Contains("--json"));
            return 0;
        }
        finally
        {
            foreach (var process in processes)
            {
                process.Kill();
                await process.WaitForExitAsync();
                process.Dispose();
            }

            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task MeasureSubmissionsAsync(List<(string Name, double? Value, string Unit)> figures, ActorProxyFactory actors, int? redis)
    {
        var times = new ConcurrentBag<TimeSpan>();
        for (var i = 0; i < 200; i++)
        {
            await SubmitAsync(actors, $"warm-{i}");
        }

        for (var i = 0; i < 300; i++)
        {
            var begin = Stopwatch.GetTimestamp();
            await SubmitAsync(actors, $"one-{i}");
            times.Add(Stopwatch.GetElapsedTime(begin));
        }

        figures.Add(("submit p50, durable, one at a time", At(times, 0.5), "us"));
        figures.Add(("submit p99, durable, one at a time", At(times, 0.99), "us"));
        var peer = redis is { } port ? await RedisQueue.MeasureAsync(port, 300) : null;
        figures.Add(("redis push to pop p50, fsync always", peer is null ? null : At(peer, 0.5), "us"));
        figures.Add(("redis push to pop p99, fsync always", peer is null ? null : At(peer, 0.99), "us"));
        figures.Add(("submit / redis p50", peer is null ? null : At(times, 0.5) / At(peer, 0.5), ""));
        var began = Stopwatch.GetTimestamp();
        await Parallel.ForEachAsync(Enumerable.Range(0, Submissions), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (i, _) => await SubmitAsync(actors, $"many-{i}"));
        figures.Add(($"submissions/s, durable, {AtOnce} at once", Submissions / Stopwatch.GetElapsedTime(began).TotalSeconds, "1/s"));
    }

    private static async Task MeasureWaitingAsync(List<(string Name, double? Value, string Unit)> figures, ActorProxyFactory actors, Process control, string state, int queued)
    {
        var before = (List: await TimeAsync(() => ListAsync(actors)), Get: await TimeAsync(() => GetAsync(actors, "one-1")), Bytes: BytesOf(state), Memory: MemoryOf(control));
        await Parallel.ForEachAsync(Enumerable.Range(0, queued), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (i, _) => await SubmitAsync(actors, $"wait-{i}"));
        figures.Add(("waiting jobs", queued, ""));
        figures.Add(("list of 50 rows p50 before", before.List, "us"));
        figures.Add(("list of 50 rows p50 with all of them", await TimeAsync(() => ListAsync(actors)), "us"));
        figures.Add(("get p50 before", before.Get, "us"));
        figures.Add(("get p50 with all of them", await TimeAsync(() => GetAsync(actors, "one-1")), "us"));
        figures.Add(("state on disk per waiting job", (BytesOf(state) - before.Bytes) / (double)queued, "B"));
        figures.Add(("memory of control per waiting job", (MemoryOf(control) - before.Memory) / (double)queued, "B"));
        figures.Add(("wake-ups per waiting job and minute", TimeSpan.FromMinutes(1) / new ControlOptions().QueueRecheck, ""));
    }

    private static async Task MeasureRunningAsync(List<(string Name, double? Value, string Unit)> figures, ActorProxyFactory actors)
    {
        var times = new List<TimeSpan>();
        for (var run = 0; run < Runs + 5; run++)
        {
            var id = $"run-{run}";
            // Above those that wait for ever, so that it is this job's turn.
            await SubmitAsync(actors, id, priority: 100);
            JobStatus? job = null;
            await UntilAsync(async () =>
            {
                job = await actors.CreateActorProxy(AppIds.JobActor, id).InvokeMethodAsync<JobStatus?>("Dispatch", JobsJson.Default.JobStatus!, CancellationToken.None);
                return JobTransitions.IsTerminal(job!.State);
            });
            if (run >= 5 && job!.Attempts is [{ StartedAt: { } started }])
            {
                times.Add(started - job.SubmittedAt);
            }
        }

        figures.Add(("enqueue to running p50", At(times, 0.5), "us"));
        figures.Add(("enqueue to running p99", At(times, 0.99), "us"));
    }

    private static Task<SubmitAnswer> SubmitAsync(ActorProxyFactory actors, string id, int priority = 0) => actors.CreateActorProxy(AppIds.JobActor, id).InvokeMethodAsync(
        "Submit", new JobSpec { Id = id, Kind = JobKinds.Exec, Command = ["true"], Priority = priority }, JobsJson.Default.JobSpec, JobsJson.Default.SubmitAnswer, CancellationToken.None);

    private static async Task<JobStatus?> GetAsync(ActorProxyFactory actors, string id) =>
        await actors.CreateActorProxy(AppIds.JobActor, id).InvokeMethodAsync<JobStatus?>("Get", JobsJson.Default.JobStatus!, CancellationToken.None);

    private static Task<JobList> ListAsync(ActorProxyFactory actors) => actors.CreateActorProxy(AppIds.JobIndexActor, AppIds.IndexActorId)
        .InvokeMethodAsync("List", new JobListRequest(null, 50, null), JobsJson.Default.JobListRequest, JobsJson.Default.JobList, CancellationToken.None);

    private static async Task<Process> StartAsync(SidecarCluster cluster, string appId, string project, string home, string resources, List<Process> processes)
    {
        var port = LoopbackPort.AnyFree();
        var sidecar = await cluster.StartAsync(new SidecarOptions { AppId = appId, AppPort = port, ResourcesPaths = [resources] }, CancellationToken.None);
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Platform.sln")))
        {
            folder = folder.Parent;
        }

        var start = new ProcessStartInfo("dotnet", [Path.Combine(folder.FullName, project, "bin", Path.GetFileName(project) + ".dll")])
        {
            WorkingDirectory = Path.Combine(folder.FullName, project),
            UseShellExecute = false,
            RedirectStandardInput = true,
        };
        foreach (var (name, value) in new[]
        {
            ("APP_ID", appId), ("APP_PORT", port.ToString(CultureInfo.InvariantCulture)), ("DAPR_HTTP_PORT", sidecar.HttpPort.ToString(CultureInfo.InvariantCulture)), (HomeFolder.Variable, Path.Combine(home, "home")),
            (Supervision.Variable, "1"), ("Worker__ExecEnabled", "true"), ("Control__QueueCheck", "00:10:00"), ("Logging__LogLevel__Default", "Warning"),
        })
        {
            start.Environment[name] = value;
        }

        var process = Process.Start(start)!;
        processes.Add(process);
        return process;
    }

    private static async Task<double> TimeAsync<T>(Func<Task<T>> call)
    {
        var times = new List<TimeSpan>();
        for (var i = 0; i < 100; i++)
        {
            var begin = Stopwatch.GetTimestamp();
            await call();
            times.Add(Stopwatch.GetElapsedTime(begin));
        }

        return At(times, 0.5);
    }

    private static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        while (true)
        {
            try
            {
                if (await isSo())
                {
                    return;
                }
            }
            catch (DaprException)
            {
                // On its way up.
            }

            await Task.Delay(2);
        }
    }

    private static double At(IEnumerable<TimeSpan> times, double quantile)
    {
        var sorted = times.Order().ToArray();
        return sorted.Length == 0 ? double.NaN : sorted[(int)((sorted.Length - 1) * quantile)].TotalMicroseconds;
    }

    private static long BytesOf(string folder) => new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length);

    private static long MemoryOf(Process process)
    {
        process.Refresh();
        return process.WorkingSet64;
    }

    private static void Print(List<(string Name, double? Value, string Unit)> figures, bool asJson)
    {
        if (asJson)
        {
            Console.WriteLine("{" + string.Join(',', figures.Select(figure => $"\"{figure.Name}\":{figure.Value?.ToString("0.###", CultureInfo.InvariantCulture) ?? "null"}")) + "}");
            return;
        }

        foreach (var (name, value, unit) in figures)
        {
            Console.WriteLine($"{name,-42} {(value is { } number ? number.ToString("0.##", CultureInfo.InvariantCulture) : "peer not installed"),12} {unit}");
        }
    }
}
