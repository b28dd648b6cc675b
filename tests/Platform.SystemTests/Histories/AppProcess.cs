using System.Diagnostics;
using System.Text;
using Platform.Jobs;

namespace Platform.SystemTests.Histories;

/// <summary>One of our programs as a process of its own, which a test may kill and start again.</summary>
internal sealed class AppProcess(string appId, string projectFolder, string program, IReadOnlyDictionary<string, string> environment) : IDisposable
{
    private readonly StringBuilder _output = new();
    private Process? _process;
    private string _clock = "";

    public string AppId => appId;

    public bool IsRunning => _process is { HasExited: false };

    /// <summary>What it printed, over all of its lives.</summary>
    public string Output
    {
        get
        {
            lock (_output)
            {
                return _output.ToString();
            }
        }
    }

    /// <param name="clock">How wrong its clock is in this life; null: as wrong as in the life before.</param>
    public void Start(string? clock = null)
    {
        _clock = clock ?? _clock;
        var start = new ProcessStartInfo("dotnet", [Path.Combine(projectFolder, "bin", program)])
        {
            UseShellExecute = false,
            WorkingDirectory = projectFolder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        start.Environment[ProgramClock.TestVariable] = _clock;
        _process?.Dispose();
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>SIGKILL: nothing is said, nothing is cleaned up.</summary>
    public void Kill()
    {
        if (_process is { HasExited: false } process)
        {
            process.Kill();
            process.WaitForExit();
        }
    }

    /// <summary>SIGTERM: it says and hands back what it has to, and ends.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_process is { HasExited: false } process)
        {
            Signal("TERM");
            await process.WaitForExitAsync(cancellationToken);
        }
    }

    /// <summary>SIGSTOP or SIGCONT: the process stands still, with its connections open.</summary>
    public void Signal(string signal)
    {
        if (_process is { HasExited: false } process)
        {
            using var kill = Process.Start("kill", [$"-{signal}", process.Id.ToString()]);
            kill.WaitForExit();
        }
    }

    public void Dispose()
    {
        Kill();
        _process?.Dispose();
    }

    private void Keep(string? line)
    {
        if (line is not null)
        {
            lock (_output)
            {
                _output.Append(appId).Append("| ").AppendLine(line);
            }
        }
    }
}
