using System.Diagnostics;
using System.Text.Json;

namespace Platform.Benchmarks.Dispatch;

/// <summary>R34: requests per second at 16 connections from the gateway through the function handler and its sidecar to a worker and back, beside those of a bare Kestrel app in the same run.</summary>
/// <remarks>The platform is the one that <c>platform up</c> starts: the Functions host and all sidecars in one process, the handler and the workers in their own. The call is <c>GET api/nodes/worker-0/tier</c>, whose work at the worker is next to nothing.</remarks>
internal static class PathBenchmark
{
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
            await DispatchBenchmark.RateAsync(port, "GET", _ => "/api/nodes/worker-0/tier", null);
            var ratios = new List<(double Bare, double Path)>();
            for (var round = 0; round < 3; round++)
            {
                var (bare, _) = await DispatchBenchmark.RateAsync(barePort, "GET", _ => "/ok", null);
                var (path, _) = await DispatchBenchmark.RateAsync(port, "GET", _ => "/api/nodes/worker-0/tier", null);
                ratios.Add((bare, path));
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
