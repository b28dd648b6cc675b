using System.Diagnostics;
using System.Text.Json;

namespace Platform.Benchmarks.Dispatch;

/// <summary>R34: requests per second at 16 connections from the gateway through the function handler and its sidecar to a worker and back, beside those of a bare Kestrel app in the same run.</summary>
/// <remarks>The platform is the one that <c>platform up</c> starts: the Functions host and all sidecars in one process, the handler and the workers in their own. The call is <c>GET api/nodes/worker-0/tier</c>, whose work at the worker is next to nothing.
/// Rounds in the order A B B A, after both sides are warm.</remarks>
internal static class PathBenchmark
{
    private const string Call = "/api/nodes/worker-0/tier";

    public static async Task MeasureAsync(List<(string Name, double? Value, string Unit)> figures, int barePort, string folder)
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
            var ratios = new List<(double Bare, double Path)>();
            for (var round = 0; round < 6; round++)
            {
                var (first, second) = round % 2 == 0 ? ((barePort, "/ok"), (port, Call)) : ((port, Call), (barePort, "/ok"));
                var (before, after) = (await RateAsync(first), await RateAsync(second));
                ratios.Add(round % 2 == 0 ? (before, after) : (after, before));
            }

            figures.Add(("gateway to worker requests/s, 16 connections", DispatchBenchmark.Median(ratios.Select(ratio => ratio.Path)), "1/s"));
            figures.Add(("R34 path / bare requests/s", DispatchBenchmark.Median(ratios.Select(ratio => ratio.Path / ratio.Bare)), ""));
        }
        finally
        {
            platform.Kill(entireProcessTree: true);
            await platform.WaitForExitAsync();
        }
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
