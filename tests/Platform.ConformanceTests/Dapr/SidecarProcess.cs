using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Platform.ConformanceTests.Dapr;

/// <summary><c>platform sidecar</c> as a process of its own, which can be killed.</summary>
internal sealed partial class SidecarProcess : IDisposable
{
    private readonly Process _process;

    private SidecarProcess(Process process, int httpPort)
    {
        _process = process;
        Client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{httpPort}/"), Timeout = TimeSpan.FromSeconds(30) };
    }

    public HttpClient Client { get; }

    public static async Task<SidecarProcess> StartAsync(string appId, int? appPort, string home, string resources)
    {
        List<string> arguments = [Path.Combine(AppContext.BaseDirectory, "platform.dll"), "sidecar", "--app-id", appId, "--dapr-http-port", "0", "--resources-path", resources];
        if (appPort is { } port)
        {
            arguments.AddRange(["--app-port", port.ToString()]);
        }

        var start = new ProcessStartInfo("dotnet", arguments) { RedirectStandardOutput = true, UseShellExecute = false, Environment = { ["PLATFORM_HOME"] = home } };
        var process = Process.Start(start)!;
        var printed = "";
        while (await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            printed += line + "\n";
            if (Address().Match(line) is { Success: true } match)
            {
                _ = process.StandardOutput.ReadToEndAsync(CancellationToken.None); // Keeps the pipe empty.
                return new SidecarProcess(process, int.Parse(match.Groups["port"].ValueSpan));
            }
        }

        throw new InvalidOperationException("platform sidecar ended before it served: " + printed);
    }

    /// <summary>Waits until the app's callbacks are loaded.</summary>
    public async Task UntilReadyAsync()
    {
        while (!(await Client.GetAsync("v1.0/healthz", TestContext.Current.CancellationToken)).IsSuccessStatusCode)
        {
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Waits for the end of the process.</summary>
    public async Task<int> ExitCodeAsync()
    {
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return _process.ExitCode;
    }

    /// <summary>SIGKILL.</summary>
    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            Kill();
        }

        _process.Dispose();
        Client.Dispose();
    }

    [GeneratedRegex(@"http://127\.0\.0\.1:(?<port>\d+)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Address();
}
