using System.ComponentModel;
using System.Diagnostics;
using Platform.Jobs;

namespace Platform.Local.Supervisor;

/// <summary>One app of the platform as a child process: started, followed, restarted when it dies, stopped with us.</summary>
/// <remarks>Its standard input stays open for as long as we live, so that it stops by itself even when we are killed (see <see cref="Supervision"/>).</remarks>
internal sealed class AppProcess : IAsyncDisposable
{
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Stable = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(5);

    private readonly AppTemplate _app;
    private readonly IReadOnlyDictionary<string, string> _environment;
    private readonly ProcessLog _log;
    private readonly Action _changed;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _loop;
    private Process? _process;
    private int _restarts;

    private AppProcess(AppTemplate app, IReadOnlyDictionary<string, string> environment, ProcessLog log, Action changed, TimeProvider time)
    {
        _app = app;
        _environment = environment;
        _log = log;
        _changed = changed;
        _time = time;
        _process = Spawn();
        _loop = SuperviseAsync();
    }

    /// <summary>The app's id.</summary>
    public string Name => _app.AppId;

    /// <summary>Process id; null while it is down.</summary>
    public int? ProcessId => Volatile.Read(ref _process) is { } process ? process.Id : null;

    /// <summary>How often it was started again.</summary>
    public int Restarts => Volatile.Read(ref _restarts);

    /// <summary>Starts the app and keeps it running.</summary>
    /// <param name="app">What to run.</param>
    /// <param name="environment">Added to our own environment.</param>
    /// <param name="log">Takes what it prints.</param>
    /// <param name="changed">Called after every start and end.</param>
    /// <param name="time">Clock of the restart delays.</param>
    /// <exception cref="PlatformException">The program cannot be started at all.</exception>
    public static AppProcess Start(AppTemplate app, IReadOnlyDictionary<string, string> environment, ProcessLog log, Action changed, TimeProvider time) =>
        new(app, environment, log, changed, time);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        _stopping.Dispose();
    }

    private async Task SuperviseAsync()
    {
        var delay = FirstDelay;
        while (true)
        {
            var started = _time.GetTimestamp();
            if (_process is { } process)
            {
                await RunToEndAsync(process);
            }

            if (_stopping.IsCancellationRequested)
            {
                return;
            }

            delay = _time.GetElapsedTime(started) >= Stable ? FirstDelay : delay;
            try
            {
                await Task.Delay(delay, _time, _stopping.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            delay = delay * 2 < LongestDelay ? delay * 2 : LongestDelay;
            try
            {
                Volatile.Write(ref _process, Spawn());
                Interlocked.Increment(ref _restarts);
                _changed();
            }
            catch (PlatformException error)
            {
                _log.Write(error.Message);
            }
        }
    }

    private async Task RunToEndAsync(Process process)
    {
        try
        {
            await process.WaitForExitAsync(_stopping.Token);
            _log.Write($"({Name} ended with exit code {process.ExitCode}; starting it again)");
        }
        catch (OperationCanceledException)
        {
            await StopAsync(process);
        }

        Volatile.Write(ref _process, null);
        process.Dispose();
        if (!_stopping.IsCancellationRequested)
        {
            _changed();
        }
    }

    private async Task StopAsync(Process process)
    {
        try
        {
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The other end is gone already, which is what we want.
        }

        using var grace = new CancellationTokenSource(StopGrace, _time);
        try
        {
            await process.WaitForExitAsync(grace.Token);
        }
        catch (OperationCanceledException)
        {
            _log.Write($"({Name} did not stop within {StopGrace.TotalSeconds:0} s; killed)");
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
        }
    }

    private Process Spawn()
    {
        var start = new ProcessStartInfo(_app.Command[0], _app.Command.Skip(1))
        {
            WorkingDirectory = _app.Folder,
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in _environment)
        {
            start.Environment[name] = value;
        }

        start.Environment[Supervision.Variable] = "1";
        var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, line) => Take(line.Data);
        process.ErrorDataReceived += (_, line) => Take(line.Data);
        try
        {
            process.Start();
        }
        catch (Win32Exception error)
        {
            process.Dispose();
            throw new PlatformException($"{Name}: cannot start '{string.Join(' ', _app.Command)}' in {_app.Folder}: {error.Message}. Build first (dotnet build Platform.sln) and check 'command' in dapr.yaml.");
        }

        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private void Take(string? line)
    {
        if (line is not null)
        {
            _log.Write(line);
        }
    }
}
