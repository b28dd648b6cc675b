using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Platform.Local;

namespace Platform.Benchmarks.Dispatch;

/// <summary>What a call costs through the embedded Functions host, and a message through its durable queue.</summary>
/// <remarks>
/// HTTP: the p50 that the host adds at one connection / the p50 that nginx adds in the same run; requests per second at 16 connections / straight to the handler.
/// Queue: from the begin of the send (HTTP, acknowledged when durable) to the handler's start / Redis push to pop; and messages per second from a full queue through the handler, each deleted durably.
/// </remarks>
internal static class HostBenchmark
{
    private const string Queue = "bench";

    public static async Task MeasureAsync(List<(string Name, double? Value, string Unit)> figures, Peers peers, string folder, int? redis)
    {
        var handlerPort = LoopbackPort.AnyFree();
        var (host, port) = await peers.StartHostAsync(WriteApp(folder, handlerPort));
        var nginx = await peers.StartNginxAsync(handlerPort, "nginx-host");
        await MeasureHttpAsync(figures, host, port, handlerPort, nginx);
        await MeasureQueueAsync(figures, port, handlerPort, redis, await peers.StartRabbitMqAsync());
    }

    private static string WriteApp(string folder, int handlerPort)
    {
        var root = Directory.CreateDirectory(Path.Combine(folder, "app")).FullName;
        File.WriteAllText(Path.Combine(root, "host.json"), JsonSerializer.Serialize(new
        {
            version = "2.0",
            extensions = new { http = new { routePrefix = "" } },
            customHandler = new
            {
                description = new { defaultExecutablePath = "dotnet", arguments = new[] { Path.Combine(AppContext.BaseDirectory, "Platform.Benchmarks.dll"), "host-handler" } },
                enableProxyingHttpRequest = true,
                port = handlerPort,
            },
        }));
        WriteFunction(root, "Call", """{"bindings":[{"type":"httpTrigger","direction":"in","name":"req","authLevel":"anonymous","route":"ok"},{"type":"http","direction":"out","name":"res"}]}""");
        WriteFunction(root, "Queued", $$"""{"bindings":[{"type":"queueTrigger","direction":"in","name":"job","queueName":"{{Queue}}"}]}""");
        File.WriteAllText(Path.Combine(root, "local.settings.json"), """{"IsEncrypted":false,"Values":{"FUNCTIONS_WORKER_RUNTIME":"Custom","AzureWebJobsStorage":"embedded"}}""");
        return root;
    }

    private static void WriteFunction(string root, string name, string json) => File.WriteAllText(Path.Combine(Directory.CreateDirectory(Path.Combine(root, name)).FullName, "function.json"), json);

    private static async Task MeasureHttpAsync(List<(string Name, double? Value, string Unit)> figures, Process host, int port, int handlerPort, int? nginx)
    {
        var (bares, theirs, hosts) = await DispatchBenchmark.P50InTurnsAsync((handlerPort, "/ok"), nginx is { } peer ? (peer, "/ok") : null, (port, "/ok"));
        var (direct, through) = (DispatchBenchmark.Median(bares), DispatchBenchmark.Median(hosts));
        double? beside = nginx is null ? null : DispatchBenchmark.Median(theirs);
        figures.Add(("handler p50", direct, "us"));
        figures.Add(("nginx to handler p50", beside, "us"));
        figures.Add(("host to handler p50", through, "us"));
        figures.Add(("host hop / nginx hop, added p50", (through - direct) / (beside - direct), ""));

        var rates = new List<(double Bare, double Ours)>();
        for (var round = 0; round < 3; round++)
        {
            var (bare, _) = await DispatchBenchmark.RateAsync(handlerPort, "GET", _ => "/ok", null);
            var (ours, _) = await DispatchBenchmark.RateAsync(port, "GET", _ => "/ok", host);
            rates.Add((bare, ours));
        }

        figures.Add(("handler requests/s, 16 connections", DispatchBenchmark.Median(rates.Select(rate => rate.Bare)), "1/s"));
        figures.Add(("host requests/s, 16 connections", DispatchBenchmark.Median(rates.Select(rate => rate.Ours)), "1/s"));
        figures.Add(("host / handler requests/s", DispatchBenchmark.Median(rates.Select(rate => rate.Ours / rate.Bare)), ""));
    }

    private static async Task MeasureQueueAsync(List<(string Name, double? Value, string Unit)> figures, int port, int handlerPort, int? redis, int? rabbit)
    {
        const int Messages = 300;
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}/") };
        using var handler = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{handlerPort}/") };
        async Task<List<TimeSpan>> OneByOneAsync()
        {
            var delays = new List<double>();
            for (var i = 0; i < Messages; i++)
            {
                var next = handler.GetStringAsync("delay");
                using var sent = await client.PostAsync($"admin/queues/{Queue}", new StringContent(Stopwatch.GetTimestamp().ToString(CultureInfo.InvariantCulture)));
                sent.EnsureSuccessStatusCode();
                delays.Add(double.Parse(await next, CultureInfo.InvariantCulture));
            }

            return [.. delays.Select(TimeSpan.FromMicroseconds)];
        }

        await OneByOneAsync();
        List<TimeSpan> ours = [.. await OneByOneAsync()];
        List<TimeSpan> theirs = redis is { } peer ? [.. await RedisQueue.MeasureAsync(peer, Messages), .. await RedisQueue.MeasureAsync(peer, Messages)] : [];
        ours.AddRange(await OneByOneAsync());
        figures.Add(("enqueue to handler p50, durable", DispatchBenchmark.At(ours, 0.5), "us"));
        figures.Add(("enqueue to handler p99, durable", DispatchBenchmark.At(ours, 0.99), "us"));
        figures.Add(("enqueue to handler / redis p50", redis is null ? null : DispatchBenchmark.At(ours, 0.5) / DispatchBenchmark.At(theirs, 0.5), ""));

        const int Many = 10_000;
        var begin = Stopwatch.GetTimestamp();
        var lines = string.Concat(Enumerable.Repeat($"{begin} {new string('x', 100)}\n", Many));
        using var filled = await client.PostAsync($"admin/queues/{Queue}?lines=true", new StringContent(lines, Encoding.UTF8));
        filled.EnsureSuccessStatusCode();
        var acknowledged = Stopwatch.GetElapsedTime(begin);
        await handler.GetStringAsync($"delay?count={Many}");
        figures.Add(("queue messages/s, sent durably", Many / acknowledged.TotalSeconds, "1/s"));
        var handled = Many / Stopwatch.GetElapsedTime(begin).TotalSeconds;
        figures.Add(("queue messages/s, sent and handled", handled, "1/s"));
        double? beside = rabbit is { } broker ? await RabbitMqQueue.RateAsync(broker, Many) : null;
        figures.Add(("rabbitmq messages/s, persistent, confirmed and acknowledged", beside, "1/s"));
        figures.Add(("queue / rabbitmq messages/s", handled / beside, ""));
    }
}
