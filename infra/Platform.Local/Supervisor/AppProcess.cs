using System.ComponentModel;
using System.Diagnostics;
using Platform.Jobs;

namespace Platform.Local.Supervisor;

/// <summary>One app of the platform as a child process: started, followed, started again when it dies or turns unhealthy, stopped with us.</summary>
/// <remarks>Its standard input stays open for as long as we live, so that it stops by itself even when we are killed (see <see cref="Supervision"/>).</remarks>
internal sealed class AppProcess : IAsyncDisposable
{
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(5);

    private readonly AppTemplate _app;
    private readonly IReadOnlyDictionary<string, string> _environment;
    private readonly ProcessLog _log;
    private readonly Func<bool>? _isHealthy;
    private readonly Action _changed;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _loop;
    private TaskCompletionSource<string> _unhealthy = NewSignal();
    private Process? _process;
    private int _restarts;
    private string? _gaveUp;

    private AppProcess(AppTemplate app, IReadOnlyDictionary<string, string> environment, ProcessLog log, Func<bool>? isHealthy, Action changed, TimeProvider time)
    {
        _app = app;
        _environment = environment;
        _log = log;
        _isHealthy = isHealthy;
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

    /// <summary>Why it is not started again any more; null as long as it is.</summary>
    public string? GaveUp => Volatile.Read(ref _gaveUp);

    /// <summary>Starts the app and keeps it running as its template's <see cref="RestartPolicy"/> says.</summary>
    /// <param name="app">What to run.</param>
    /// <param name="environment">Added to our own environment.</param>
    /// <param name="log">Takes what it prints.</param>
    /// <param name="isHealthy">Whether its health checks succeed; null if it has none.</param>
    /// <param name="changed">Called after every start and end.</param>
    /// <param name="time">Clock of the pauses.</param>
    /// <exception cref="PlatformException">The program cannot be started at all.</exception>
    public static AppProcess Start(AppTemplate app, IReadOnlyDictionary<string, string> environment, ProcessLog log, Func<bool>? isHealthy, Action changed, TimeProvider time) =>
        new(app, environment, log, isHealthy, changed, time);

    /// <summary>Ends the present life of the app, which is followed by the next if the policy has one. Nothing happens while it is down.</summary>
    /// <param name="reason">What is wrong with it, for the log.</param>
    public void EndUnhealthy(string reason) => Volatile.Read(ref _unhealthy).TrySetResult(reason);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        _stopping.Dispose();
    }

    private static TaskCompletionSource<string> NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task SuperviseAsync()
    {
        var inARow = 0;
        while (true)
        {
            var started = _time.GetTimestamp();
            var (failure, end) = _process is { } process ? await RunToEndAsync(process) : (true, "cannot be started");
            if (_stopping.IsCancellationRequested)
            {
                return;
            }

            inARow = _time.GetElapsedTime(started) >= _app.Restart.Stable ? 1 : inARow + 1;
            if (_app.Restart.PauseBefore(failure, inARow) is not { } pause)
            {
                GiveUp(failure, end, inARow - 1);
                return;
            }

            _log.Write($"({Name} {end}; starting it again)");
            if (!await PauseAsync(pause))
            {
                return;
            }

            try
            {
                Volatile.Write(ref _unhealthy, NewSignal());
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

    private async Task<bool> PauseAsync(TimeSpan pause)
    {
        try
        {
            await Task.Delay(pause, _time, _stopping.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private void GiveUp(bool failure, string end, int restarts)
    {
        var why = _app.Restart.When == RestartWhen.Never || (_app.Restart.When == RestartWhen.OnFailure && !failure)
            ? $"{end}; its restart policy is '{_app.Restart.When}'"
            : $"{end}, {restarts + 1} times in a row within {_app.Restart.Stable.TotalSeconds:0} s of its start. Mend it and start the platform again, or raise maxRestarts ({_app.Restart.MaxRestarts}) in the run template";
        Volatile.Write(ref _gaveUp, why);
        _log.Write($"({Name} {why}; it is not started again)");
        _changed();
    }

    /// <summary>Waits for the end of a life, or brings it about.</summary>
    /// <returns>Whether it ended badly, and how, in words.</returns>
    private async Task<(bool Failure, string End)> RunToEndAsync(Process process)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        var exit = process.WaitForExitAsync(over.Token);
        var unhealthy = Volatile.Read(ref _unhealthy).Task;
        var patience = WatchStartAsync(over.Token);
        await Task.WhenAny(exit, unhealthy);
        var isSick = !exit.IsCompleted && unhealthy.IsCompletedSuccessfully;
        if (isSick || _stopping.IsCancellationRequested)
        {
            await StopAsync(process);
        }

        await over.CancelAsync();
        await patience;
        await Task.WhenAny(exit); // Its cancellation is nobody's fault.
        var end = isSick ? await unhealthy : $"ended with exit code {process.ExitCode}";
        var failure = isSick || process.ExitCode != 0;
        Volatile.Write(ref _process, null);
        process.Dispose();
        if (!_stopping.IsCancellationRequested)
        {
            _changed();
        }

        return (failure, end);
    }

    /// <summary>Ends the life if it is not healthy in time.</summary>
    private async Task WatchStartAsync(CancellationToken cancellationToken)
    {
        if (_isHealthy is null)
        {
            return;
        }

        try
        {
            await Task.Delay(_app.Restart.StartPatience, _time, cancellationToken);
            if (!_isHealthy())
            {
                EndUnhealthy($"was not healthy within {_app.Restart.StartPatience.TotalSeconds:0.#} s of its start");
            }
        }
        catch (OperationCanceledException)
        {
            // The life was shorter.
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
