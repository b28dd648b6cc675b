using Platform.Local.Supervisor;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Platform.Local.Cli;

/// <summary>What runs where, as <c>up</c> and <c>demo</c> print it.</summary>
internal static class RunningTable
{
    public static IRenderable Of(LocalPlatform platform)
    {
        var table = new Table().RoundedBorder().AddColumns("process", "pid", "listens on", "sidecar (Dapr HTTP API)");
        table.AddRow("platform", Environment.ProcessId.ToString(), platform.Url is { } url ? $"{url}  (Functions host)" : "", "");
        foreach (var process in platform.Processes)
        {
            var listens = process.Name == Jobs.AppIds.Functions ? "custom handler, behind the Functions host" : process.AppPort is { } port ? $"http://127.0.0.1:{port}" : "";
            table.AddRow(process.Name, process.ProcessId?.ToString() ?? "down", listens, $"http://127.0.0.1:{process.DaprPort}  (embedded)");
        }

        var lines = platform.Replaced.Select(component => (IRenderable)new Text($"{component.Name} ({component.Type}) is served by {component.ReplacedBy}", new Style(Color.Grey)));
        return new Rows([table, .. lines]);
    }
}
