using System.Diagnostics;
using Platform.Local.FunctionsHost.App;

namespace Platform.Local.FunctionsHost.Handler;

/// <summary>Keeps one handler process running and lets callers wait for it.</summary>
/// <remarks>
/// A handler that does not become ready counts as an error; after three within 30 minutes the supervisor gives up, as the contract says.
/// A handler that was ready and then ended is started again without limit, so that a crash or a kill never ends the platform;
/// if it keeps ending soon after its start, the pauses between starts grow to 5 s.
/// </remarks>
internal sealed class HandlerSupervisor : IAsyncDisposable
{
    private const int ErrorLimit = 3;
    private const int WantedRestartExitCode = 200;
    private static readonly TimeSpan ErrorMemory = TimeSpan.FromMinutes(30);
    private static readonly TimeSpan ReadinessInterval = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan ShortLife = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private readonly HandlerSettings _settings;
    private readonly string _appRoot;
    private readonly IReadOnlyDictionary<string, string> _environment;
    private readonly Action<string, bool> _output;
    private readonly Action _becameReady;
    private readonly ILogger _logger;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Queue<DateTimeOffset> _errors = new();
    private readonly Lock _lock = new();
    private TaskCompletionSource<HandlerGeneration> _ready = NewReady();
    private HandlerProcess? _process;
    private Task _loop = Task.CompletedTask;

    public HandlerSupervisor(HandlerSettings settings, string appRoot, IReadOnlyDictionary<string, string> environment, Action<string, bool> output, Action becameReady, TimeProvider time, ILogger logger)
    {
        _settings = settings;
        _appRoot = appRoot;
        _environment = environment;
        _output = output;
        _becameReady = becameReady;
        _time = time;
        _logger = logger;
    }

    /// <summary>Process id of the handler; null while none runs.</summary>
    public int? ProcessId
    {
        get
        {
            lock (_lock)
            {
                return _process is { HasExited: false } process ? process.Id : null;
            }
        }
    }

    /// <summary>Fails when the supervisor has given up; otherwise never ends.</summary>
    public Task Failed => _failed.Task;

    public void Start() => _loop = Task.Run(RunAsync);

    /// <summary>The running handler; waits while it starts or restarts.</summary>
    /// <exception cref="FunctionAppException">The supervisor has given up.</exception>
    public Task<HandlerGeneration> WaitReadyAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return _ready.Task.IsCompletedSuccessfully ? _ready.Task : _ready.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Kills the process of <paramref name="generation"/>, unless it has been replaced already; the next one starts at once.</summary>
    public void Restart(HandlerGeneration generation, string reason)
    {
        lock (_lock)
        {
            if (_process is { HasExited: false } process && process.Id == generation.ProcessId)
            {
                _logger.HandlerRestart(process.Id, reason);
                process.Kill();
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _loop;
        _stopping.Dispose();
    }

    private static TaskCompletionSource<HandlerGeneration> NewReady() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task RunAsync()
    {
        var pause = TimeSpan.Zero;
        try
        {
            while (!_stopping.IsCancellationRequested)
            {
                var started = _time.GetTimestamp();
                if (!await LiveAsync())
                {
                    return;
                }

                pause = _time.GetElapsedTime(started) >= ShortLife ? TimeSpan.Zero
                    : pause == TimeSpan.Zero ? TimeSpan.FromMilliseconds(50)
                    : TimeSpan.FromTicks(Math.Min(LongestPause.Ticks, pause.Ticks * 2));
                await Task.Delay(pause, _time, _stopping.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
        catch (Exception exception)
        {
            GiveUp(exception);
        }
    }

    /// <summary>One life of the handler. False: the supervisor has given up.</summary>
    private async Task<bool> LiveAsync()
    {
        var clock = Stopwatch.StartNew();
        using var process = HandlerProcess.Start(_settings, _appRoot, Guid.NewGuid().ToString(), _environment, _output);
        lock (_lock)
        {
            _process = process;
        }

        using var generation = new HandlerGeneration(process.Id, process.Port);
        try
        {
            _logger.HandlerStarted(process.Id, process.Command);
            if (await FailsToStartAsync(process) is { } reason)
            {
                await process.StopAsync();
                return process.ExitCode == WantedRestartExitCode || !CountsAsLastError(reason);
            }

            _logger.HandlerReady(process.Id, process.Port, clock.ElapsedMilliseconds);
            _ready.TrySetResult(generation);
            _becameReady();
            await process.WaitForExitAsync(_stopping.Token);
            _logger.HandlerEnded(process.Id, process.ExitCode);
            return true;
        }
        finally
        {
            lock (_lock)
            {
                _process = null;
                if (_ready.Task.IsCompletedSuccessfully)
                {
                    _ready = NewReady();
                }
            }

            if (!process.HasExited)
            {
                await process.StopAsync();
            }

            generation.MarkExited();
            await process.ReadToEndAsync();
        }
    }

    /// <summary>Null once the handler answers; else why it does not.</summary>
    private async Task<string?> FailsToStartAsync(HandlerProcess process)
    {
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, ConnectTimeout = TimeSpan.FromSeconds(2) });
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
        deadline.CancelAfter(_settings.InitializationTimeout);
        while (!process.HasExited)
        {
            try
            {
                using var answer = await client.GetAsync(new Uri($"http://127.0.0.1:{process.Port}/"), HttpCompletionOption.ResponseHeadersRead, deadline.Token);
                return null;
            }
            catch (OperationCanceledException) when (!_stopping.IsCancellationRequested)
            {
                return $"'{process.Command}' did not answer GET / on 127.0.0.1:{process.Port} within {_settings.InitializationTimeout} (customHandler.initializationTimeout).";
            }
            catch (HttpRequestException)
            {
                await Task.WhenAny(Task.Delay(ReadinessInterval, _stopping.Token), process.WaitForExitAsync(_stopping.Token));
                _stopping.Token.ThrowIfCancellationRequested();
                if (deadline.IsCancellationRequested)
                {
                    return $"'{process.Command}' does not listen on 127.0.0.1:{process.Port} after {_settings.InitializationTimeout} (customHandler.initializationTimeout); it must bind FUNCTIONS_CUSTOMHANDLER_PORT.";
                }
            }
        }

        return $"'{process.Command}' ended with exit code {process.ExitCode} before it answered; its output has the reason.";
    }

    private bool CountsAsLastError(string reason)
    {
        var now = _time.GetUtcNow();
        _errors.Enqueue(now);
        while (now - _errors.Peek() > ErrorMemory)
        {
            _errors.Dequeue();
        }

        _logger.HandlerFailedToStart(_errors.Count, ErrorLimit, reason);
        if (_errors.Count < ErrorLimit)
        {
            return false;
        }

        GiveUp(new FunctionAppException($"The handler failed to start {ErrorLimit} times within 30 minutes. {reason}"));
        return true;
    }

    private void GiveUp(Exception exception)
    {
        lock (_lock)
        {
            if (_ready.Task.IsCompleted)
            {
                _ready = NewReady();
            }

            _ready.TrySetException(exception);
            _ = _ready.Task.Exception;
        }

        _failed.TrySetException(exception);
        _ = _failed.Task.Exception;
    }
}
