using System.Diagnostics;
using System.Text.Json;

namespace Platform.Benchmarks.Dispatch;

/// <summary>R34: requests per second at 16 connections from the gateway through the function handler and its sidecar to a worker and back, beside those of a bare Kestrel app in the same run.</summary>
/// <remarks>The platform is the one that <c>platform up</c> starts: the Functions host and all sidecars in one process, the handler and the workers in their own. The call is <c>GET api/nodes/worker-0/tier</c>, whose work at the worker is next to nothing.
/// What three nginx hops in front of the same bare app reach stands beside it: as many messages between as many processes, with next to no work in any. Rounds in the order A B C C B A, after all sides are warm.
/// CPU is that of each program per call of the path.</remarks>
internal static class PathBenchmark
{
    private const string Call = "/api/nodes/worker-0/tier";

    public static async Task MeasureAsync(List<(string Name, double? Value, string Unit)> figures, Peers peers, int barePort, string folder)
    {
        var home = Directory.CreateDirectory(Path.Combine(folder, "home")).FullName;
        using var platform = Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "platform.dll"), "up", "--quiet", "--any-ports", "--home", home])
        {
            WorkingDirectory = FindRepository(),
            RedirectStandardOutput = true,
            RedirectStandardInput = true,
            UseShellExecute = false,
        })!;
        try
        {
            while (await platform.StandardOutput.ReadLineAsync() is { } line && !line.StartsWith("Ready", StringComparison.Ordinal))
            {
                // The table of what runs where.
            }

            _ = platform.StandardOutput.ReadToEndAsync();
            using var run = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(home, "run.json")));
            var port = new Uri(run.RootElement.GetProperty("url").GetString()!).Port;
            await WarmAsync(barePort, "/ok");
            await WarmAsync(port, Call);
            var chain = await StartChainAsync(peers, barePort);
            var rates = new List<(double Bare, double Path, double? Chain)>();
            var cpu = new List<Dictionary<string, double>>();
            for (var round = 0; round < 6; round++)
            {
                if (round % 2 == 0)
                {
                    var bare = await RateAsync((barePort, "/ok"));
                    var (path, used) = await RateWithCpuAsync(platform.Id, port);
                    cpu.Add(used);
                    rates.Add((bare, path, await RateOfAsync(chain)));
                }
                else
                {
                    var nginx = await RateOfAsync(chain);
                    var (path, used) = await RateWithCpuAsync(platform.Id, port);
                    cpu.Add(used);
                    rates.Add((await RateAsync((barePort, "/ok")), path, nginx));
                }
            }

            figures.Add(("bare requests/s, 16 connections", DispatchBenchmark.Median(rates.Select(rate => rate.Bare)), "1/s"));
            figures.Add(("gateway to worker requests/s, 16 connections", DispatchBenchmark.Median(rates.Select(rate => rate.Path)), "1/s"));
            figures.Add(("three nginx hops requests/s, 16 connections", chain is null ? null : DispatchBenchmark.Median(rates.Select(rate => rate.Chain!.Value)), "1/s"));
            figures.Add(("R34 path / bare requests/s", DispatchBenchmark.Median(rates.Select(rate => rate.Path / rate.Bare)), ""));
            figures.Add(("three nginx hops / bare requests/s", chain is null ? null : DispatchBenchmark.Median(rates.Select(rate => rate.Chain!.Value / rate.Bare)), ""));
            foreach (var name in cpu[0].Keys.Order(StringComparer.Ordinal))
            {
                figures.Add(($"CPU per call of the path, {name}", DispatchBenchmark.Median(cpu.Select(used => used.GetValueOrDefault(name))), "us"));
            }
        }
        finally
        {
            platform.Kill(entireProcessTree: true);
            await platform.WaitForExitAsync();
        }
    }

    private static async Task<int?> StartChainAsync(Peers peers, int barePort)
    {
        int? port = barePort;
        for (var hop = 0; hop < 3 && port is { } next; hop++)
        {
            port = await peers.StartNginxAsync(next, $"nginx-chain-{hop}");
        }

        if (port is { } first)
        {
            await WarmAsync(first, "/ok");
        }

        return port;
    }

    private static async Task<double?> RateOfAsync(int? port) => port is { } open ? await RateAsync((open, "/ok")) : null;

    private static async Task<(double Rate, Dictionary<string, double> CpuMicroseconds)> RateWithCpuAsync(int platform, int port)
    {
        var (before, client) = (TreeCpu.Of(platform), Environment.CpuUsage.TotalTime);
        var begin = Stopwatch.GetTimestamp();
        var rate = await RateAsync((port, Call));
        var calls = rate * Stopwatch.GetElapsedTime(begin).TotalSeconds;
        var used = TreeCpu.Of(platform).ToDictionary(program => program.Key, program => (program.Value - before.GetValueOrDefault(program.Key)).TotalMicroseconds / calls, StringComparer.Ordinal);
        used["client"] = (Environment.CpuUsage.TotalTime - client).TotalMicroseconds / calls;
        return (rate, used);
    }

    /// <summary>Calls until the rate no longer grows: the runtime compiles hot code a second time, with what it has seen of it, in four processes here, on the processors that serve.</summary>
    private static async Task WarmAsync(int port, string path)
    {
        var (last, rate) = (0.0, await RateAsync((port, path)));
        for (var round = 0; round < 20 && rate > last * 1.03; round++)
        {
            (last, rate) = (Math.Max(last, rate), await RateAsync((port, path)));
        }
    }

    private static async Task<double> RateAsync((int Port, string Path) at) => (await DispatchBenchmark.RateAsync(at.Port, "GET", _ => at.Path, null)).Rate;

    private static string FindRepository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "dapr.yaml")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException("there is no dapr.yaml above the benchmark's folder");
    }
}
