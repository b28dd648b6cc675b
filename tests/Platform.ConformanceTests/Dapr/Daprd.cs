using System.Diagnostics;
using Platform.Local;

namespace Platform.ConformanceTests.Dapr;

/// <summary>The real sidecar of a machine that has one, with placement and scheduler if they lie beside it.</summary>
internal sealed class Daprd : IAsyncDisposable
{
    private readonly List<Process> _processes = [];
    private readonly string _folder = Directory.CreateTempSubdirectory("daprd-").FullName;

    private Daprd(int httpPort) => HttpPort = httpPort;

    public int HttpPort { get; }

    /// <summary>Actors need placement, and their reminders the scheduler.</summary>
    public bool HasActors { get; private set; }

    /// <summary>The program; null if there is none.</summary>
    public static string? Find(string program = "daprd") => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Append(Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".dapr", "bin"))
        .Select(folder => Path.Combine(folder, program))
        .FirstOrDefault(File.Exists);

    /// <summary>Starts it for an app and returns when its API answers; it waits for the app by itself.</summary>
    public static async Task<Daprd> StartAsync(string appId, int appPort, string components)
    {
        var daprd = new Daprd(LoopbackPort.AnyFree());
        try
        {
            var resources = Directory.CreateDirectory(Path.Combine(daprd._folder, "components")).FullName;
            await File.WriteAllTextAsync(Path.Combine(resources, "all.yaml"), components, TestContext.Current.CancellationToken);
            List<string> arguments =
            [
                "--app-id", appId, "--app-port", appPort.ToString(), "--dapr-http-port", daprd.HttpPort.ToString(), "--dapr-grpc-port", LoopbackPort.AnyFree().ToString(),
                "--dapr-internal-grpc-port", LoopbackPort.AnyFree().ToString(), "--metrics-port", LoopbackPort.AnyFree().ToString(), "--resources-path", resources, "--log-level", "error",
            ];
            if (Find("placement") is { } placement && Find("scheduler") is { } scheduler)
            {
                daprd.HasActors = true;
                var (placementPort, schedulerPort) = (LoopbackPort.AnyFree(), LoopbackPort.AnyFree());
                daprd.Run(placement, ["--port", placementPort.ToString(), "--healthz-port", LoopbackPort.AnyFree().ToString(), "--metrics-port", LoopbackPort.AnyFree().ToString()]);
                daprd.Run(scheduler, ["--port", schedulerPort.ToString(), "--healthz-port", LoopbackPort.AnyFree().ToString(), "--metrics-port", LoopbackPort.AnyFree().ToString(), "--etcd-data-dir", Path.Combine(daprd._folder, "etcd")]);
                arguments.AddRange(["--placement-host-address", $"127.0.0.1:{placementPort}", "--scheduler-host-address", $"127.0.0.1:{schedulerPort}"]);
            }

            daprd.Run(Find()!, arguments);
            using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{daprd.HttpPort}/") };
            while (!await AnswersAsync(client))
            {
                await Task.Delay(50, TestContext.Current.CancellationToken);
            }

            return daprd;
        }
        catch
        {
            await daprd.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            if (!process.HasExited)
            {
                process.Kill();
                await process.WaitForExitAsync();
            }

            process.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private static async Task<bool> AnswersAsync(HttpClient client)
    {
        try
        {
            using var answer = await client.GetAsync(new Uri("v1.0/healthz/outbound", UriKind.Relative), TestContext.Current.CancellationToken);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private void Run(string program, IEnumerable<string> arguments) =>
        _processes.Add(Process.Start(new ProcessStartInfo(program, arguments) { UseShellExecute = false, WorkingDirectory = _folder, RedirectStandardOutput = false })!);
}
