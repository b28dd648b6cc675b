using System.Diagnostics;
using System.Text.Json.Nodes;
using Platform.Jobs;

namespace Platform.SystemTests;

/// <summary>A <c>platform</c> command as a user runs it: its own process, with what it prints.</summary>
internal sealed class PlatformProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private readonly Process _process;
    private readonly List<string> _output = [];
    private readonly List<string> _errors = [];
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private PlatformProcess(IReadOnlyDictionary<string, string>? settings, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Program, .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Remove(HomeFolder.Variable);
        start.Environment.Remove(Supervision.Variable);
        start.Environment["NO_COLOR"] = "1";
        foreach (var (name, value) in settings ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Take(_output, line.Data);
        _process.ErrorDataReceived += (_, line) => Take(_errors, line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public int ProcessId => _process.Id;

    public int ExitCode => _process.ExitCode;

    public IReadOnlyList<string> Output => Copy(_output);

    public IReadOnlyList<string> Errors => Copy(_errors);

    private static string Program => Path.Combine(AppContext.BaseDirectory, "..", "..", "..", "infra", "Platform.Local", "bin", "platform.dll");

    /// <summary>Runs a command to its end.</summary>
    public static async Task<PlatformProcess> RunAsync(CancellationToken cancellationToken, params string[] arguments)
    {
        var process = new PlatformProcess(null, arguments);
        await process.WaitForExitAsync(cancellationToken);
        return process;
    }

    /// <summary>Starts <c>platform up</c> on free ports and returns when it says that it is ready.</summary>
    public static async Task<PlatformProcess> UpAsync(string home, CancellationToken cancellationToken, IReadOnlyDictionary<string, string>? settings = null)
    {
        var process = new PlatformProcess(settings, "up", "--any-ports", "--home", home);
        var ended = process._process.WaitForExitAsync(cancellationToken);
        if (await Task.WhenAny(process._ready.Task, ended).WaitAsync(Patience, cancellationToken) == ended)
        {
            throw new InvalidOperationException("platform up ended: " + process.Everything());
        }

        return process;
    }

    /// <summary>Ctrl-c; or SIGTERM where the tests were started with SIGINT ignored, as shells start background jobs, for a program leaves it ignored then.</summary>
    public async Task InterruptAsync(CancellationToken cancellationToken)
    {
        using (var kill = Process.Start("kill", [await IgnoresInterruptAsync(cancellationToken) ? "-TERM" : "-INT", ProcessId.ToString()]))
        {
            await kill.WaitForExitAsync(cancellationToken);
        }

        await WaitForExitAsync(cancellationToken);
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync(CancellationToken cancellationToken)
    {
        _process.Kill();
        await WaitForExitAsync(cancellationToken);
    }

    public string Everything() => string.Join('\n', Output.Concat(Errors));

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    /// <summary>The programs that <c>run.json</c> of a state folder names, by name.</summary>
    public static Dictionary<string, int> ProcessIds(string home)
    {
        var run = JsonNode.Parse(File.ReadAllText(new HomeFolder(home).RunFile))!;
        return run["processes"]!.AsArray().Where(process => process!["processId"] is not null).ToDictionary(process => (string)process!["name"]!, process => (int)process!["processId"]!);
    }

    /// <summary>Where the Functions host of a state folder listens.</summary>
    public static Uri UrlOf(string home) => new((string)JsonNode.Parse(File.ReadAllText(new HomeFolder(home).RunFile))!["url"]!);

    private async Task<bool> IgnoresInterruptAsync(CancellationToken cancellationToken)
    {
        const int Interrupt = 2;
        var status = await File.ReadAllLinesAsync($"/proc/{ProcessId}/status", cancellationToken);
        var ignored = Convert.ToUInt64(status.Single(line => line.StartsWith("SigIgn:", StringComparison.Ordinal))[7..].Trim(), 16);
        return (ignored & (1UL << (Interrupt - 1))) != 0;
    }

    private async Task WaitForExitAsync(CancellationToken cancellationToken) =>
        await _process.WaitForExitAsync(cancellationToken).WaitAsync(Patience, cancellationToken);

    private void Take(List<string> lines, string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (lines)
        {
            lines.Add(line);
        }

        if (line.StartsWith("Ready.", StringComparison.Ordinal))
        {
            _ready.TrySetResult();
        }
    }

    private static List<string> Copy(List<string> lines)
    {
        lock (lines)
        {
            return [.. lines];
        }
    }
}
