using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Platform.Local;

namespace Platform.Benchmarks.Dispatch;

/// <summary>What a call costs through the sidecar, beside nginx and Redis in the same run.</summary>
/// <remarks>
/// R33: p50 of one hop at one connection, ours / nginx. R35: CPU per hop (sidecar and app and client) / per bare request (app and client).
/// R36: actor turns per second, and publish to delivered / Redis push to pop (fsync always); delivery begins while the message is on its way to the disk, so the time
/// until it is acknowledged, which is when it is durable, is shown beside it. The order is A B B A; each figure is the median of its rounds.
/// R34: see <see cref="PathBenchmark"/>.
/// </remarks>
internal static class DispatchBenchmark
{
    private const string Resources = """
        apiVersion: dapr.io/v1alpha1
        kind: Component
        metadata: { name: statestore }
        spec: { type: state.in-memory, version: v1, metadata: [{ name: actorStateStore, value: "true" }] }
        ---
        apiVersion: dapr.io/v1alpha1
        kind: Component
        metadata: { name: pubsub }
        spec: { type: pubsub.redis, version: v1, metadata: [{ name: redisHost, value: "localhost:6379" }] }
        """;

    private static readonly string[] Parts = ["hops", "actors", "topics", "host", "path"];

    public static Command Command()
    {
        var only = BenchmarkOptions.Only("parts", Parts);
        var command = new Command("dispatch", "A call through the sidecar, the Functions host and the whole path, beside nginx, Redis and RabbitMQ.") { BenchmarkOptions.Json, only };
        command.SetAction((options, _) => RunAsync(options.GetValue(only) is { Length: > 0 } some ? some : Parts, options.GetValue(BenchmarkOptions.Json)));
        return command;
    }

    private static async Task<int> RunAsync(string[] parts, bool json)
    {
        var folder = Directory.CreateTempSubdirectory("dispatch-").FullName;
        var resources = Directory.CreateDirectory(Path.Combine(folder, "components")).FullName;
        await File.WriteAllTextAsync(Path.Combine(resources, "all.yaml"), Resources);
        try
        {
            using var peers = new Peers(folder);
            var appPort = LoopbackPort.AnyFree();
            await using var app = await BenchmarkApp.StartAsync(appPort);
            var (sidecar, sidecarPort) = await peers.StartSidecarAsync(appPort, resources);
            await UntilReadyAsync(sidecarPort);
            var nginx = await peers.StartNginxAsync(appPort);
            var redis = await peers.StartRedisAsync();
            var figures = new List<(string Name, double? Value, string Unit)>();
            if (parts.Contains("hops"))
            {
                await MeasureHopsAsync(figures, appPort, sidecarPort, nginx, sidecar);
            }

            if (parts.Contains("actors"))
            {
                await MeasureActorsAsync(figures, sidecarPort);
            }

            if (parts.Contains("topics"))
            {
                await MeasureTopicsAsync(figures, app, sidecarPort, redis);
            }

            if (parts.Contains("host"))
            {
                await HostBenchmark.MeasureAsync(figures, peers, folder, redis);
            }

            if (parts.Contains("path"))
            {
                await PathBenchmark.MeasureAsync(figures, peers, appPort, folder);
            }

            Print(figures, json);
            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task MeasureHopsAsync(List<(string Name, double? Value, string Unit)> figures, int appPort, int sidecarPort, int? nginx, Process sidecar)
    {
        const string Hop = "/v1.0/invoke/bench/method/ok";
        var (bare, theirs, ours) = await P50InTurnsAsync((appPort, "/ok"), nginx is { } port ? (port, "/ok") : null, (sidecarPort, Hop));
        figures.Add(("bare p50", Median(bare), "us"));
        figures.Add(("nginx hop p50", nginx is null ? null : Median(theirs), "us"));
        figures.Add(("sidecar hop p50", Median(ours), "us"));
        figures.Add(("R33 hop sidecar / nginx", nginx is null ? null : Median(ours.Zip(theirs, (a, b) => a / b)), ""));

        var rates = new List<(double Bare, double Ours, double BareCpu, double OursCpu)>();
        for (var round = 0; round < 3; round++)
        {
            var (bareRate, bareCpu) = await RateAsync(appPort, "GET", _ => "/ok", null);
            var (oursRate, oursCpu) = await RateAsync(sidecarPort, "GET", _ => Hop, sidecar);
            rates.Add((bareRate, oursRate, bareCpu, oursCpu));
        }

        figures.Add(("bare requests/s, 16 connections", Median(rates.Select(rate => rate.Bare)), "1/s"));
        figures.Add(("sidecar requests/s, 16 connections", Median(rates.Select(rate => rate.Ours)), "1/s"));
        figures.Add(("CPU per bare request (app, client)", Median(rates.Select(rate => rate.BareCpu)), "us"));
        figures.Add(("CPU per hop (sidecar, app, client)", Median(rates.Select(rate => rate.OursCpu)), "us"));
        figures.Add(("R35 CPU hop / bare", Median(rates.Select(rate => rate.OursCpu / rate.BareCpu)), ""));
    }

    private static async Task MeasureActorsAsync(List<(string Name, double? Value, string Unit)> figures, int sidecarPort)
    {
        await RateAsync(sidecarPort, "PUT", i => $"/v1.0/actors/Bench/{i}/method/Go", null);
        var (rate, _) = await RateAsync(sidecarPort, "PUT", i => $"/v1.0/actors/Bench/{i}/method/Go", null);
        figures.Add(("R36 actor turns/s, 16 actors", rate, "1/s"));
    }

    private static async Task MeasureTopicsAsync(List<(string Name, double? Value, string Unit)> figures, BenchmarkApp app, int sidecarPort, int? redis)
    {
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{sidecarPort}/") };
        var acknowledged = new List<TimeSpan>();
        async Task<List<TimeSpan>> PublishAsync()
        {
            var times = new List<TimeSpan>();
            for (var i = 0; i < 60; i++)
            {
                var begin = Stopwatch.GetTimestamp();
                using var content = new StringContent(begin.ToString(CultureInfo.InvariantCulture), System.Text.Encoding.UTF8, "application/json");
                using var answer = await client.PostAsync("v1.0/publish/pubsub/t", content);
                answer.EnsureSuccessStatusCode();
                acknowledged.Add(Stopwatch.GetElapsedTime(begin));
                times.Add(await app.Delivered.Reader.ReadAsync());
            }

            return times;
        }

        await PublishAsync();
        acknowledged.Clear();
        var (ours, theirs) = (new List<TimeSpan>(), new List<TimeSpan>());
        for (var round = 0; round < 10; round++)
        {
            ours.AddRange(await PublishAsync());
            if (redis is { } port)
            {
                theirs.AddRange(await RedisQueue.MeasureAsync(port, 60));
            }
        }

        figures.Add(("publish to delivered p50", At(ours, 0.5), "us"));
        figures.Add(("publish to delivered p99", At(ours, 0.99), "us"));
        figures.Add(("publish to acknowledged p50, durable", At(acknowledged, 0.5), "us"));
        figures.Add(("publish to acknowledged p99, durable", At(acknowledged, 0.99), "us"));
        figures.Add(("redis push to pop p50, fsync always", redis is null ? null : At(theirs, 0.5), "us"));
        figures.Add(("redis push to pop p99, fsync always", redis is null ? null : At(theirs, 0.99), "us"));
        figures.Add(("R36 publish to delivered / redis p50", redis is null ? null : At(ours, 0.5) / At(theirs, 0.5), ""));
        figures.Add(("publish to acknowledged / redis p50", redis is null ? null : At(acknowledged, 0.5) / At(theirs, 0.5), ""));
    }

    /// <summary>Medians of short rounds in the order A B C C B A: what else the machine does in a round hits all three alike.</summary>
    internal static async Task<(List<double> Bare, List<double> Theirs, List<double> Ours)> P50InTurnsAsync((int Port, string Path) bare, (int Port, string Path)? theirs, (int Port, string Path) ours)
    {
        using var first = new RawConnection(bare.Port, "GET", bare.Path);
        using var second = theirs is { } peer ? new RawConnection(peer.Port, "GET", peer.Path) : null;
        using var third = new RawConnection(ours.Port, "GET", ours.Path);
        foreach (var connection in new[] { first, second, third }.OfType<RawConnection>())
        {
            await P50Async(connection, 5000); // Until the hot code is compiled.
        }

        (List<double> Bare, List<double> Theirs, List<double> Ours) p50 = ([], [], []);
        for (var round = 0; round < 40; round++)
        {
            RawConnection?[] order = round % 2 == 0 ? [first, second, third] : [third, second, first];
            foreach (var connection in order.OfType<RawConnection>())
            {
                (connection == first ? p50.Bare : connection == second ? p50.Theirs : p50.Ours).Add(await P50Async(connection, 250));
            }
        }

        return p50;
    }

    private static async Task<double> P50Async(RawConnection connection, int calls)
    {
        var times = new List<TimeSpan>(calls);
        for (var i = 0; i < calls; i++)
        {
            var begin = Stopwatch.GetTimestamp();
            await connection.CallAsync();
            times.Add(Stopwatch.GetElapsedTime(begin));
        }

        return At(times, 0.5);
    }

    /// <summary>Requests per second at 16 connections over 2 s, and CPU microseconds per request of this process and <paramref name="other"/>.</summary>
    internal static async Task<(double Rate, double CpuMicroseconds)> RateAsync(int port, string method, Func<int, string> path, Process? other)
    {
        var cpu = CpuOf(other);
        var begin = Stopwatch.GetTimestamp();
        var counts = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(async () =>
        {
            using var connection = new RawConnection(port, method, path(i));
            var count = 0;
            while (Stopwatch.GetElapsedTime(begin) < TimeSpan.FromSeconds(2))
            {
                await connection.CallAsync();
                count++;
            }

            return count;
        })));
        var total = counts.Sum();
        return (total / Stopwatch.GetElapsedTime(begin).TotalSeconds, (CpuOf(other) - cpu).TotalMicroseconds / total);
    }

    private static TimeSpan CpuOf(Process? other)
    {
        other?.Refresh();
        return Environment.CpuUsage.TotalTime + (other?.TotalProcessorTime ?? TimeSpan.Zero);
    }

    private static async Task UntilReadyAsync(int port)
    {
        using var client = new HttpClient();
        while (!(await client.GetAsync($"http://127.0.0.1:{port}/v1.0/healthz")).IsSuccessStatusCode)
        {
            await Task.Delay(20);
        }
    }

    internal static double At(List<TimeSpan> times, double quantile) => times.Order().ElementAt((int)(quantile * (times.Count - 1))).TotalMicroseconds;

    internal static double Median(IEnumerable<double> values) => values.Order().ToList() is var sorted ? sorted[sorted.Count / 2] : 0;

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
