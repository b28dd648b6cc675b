namespace Platform.Local.FunctionsHost;

/// <summary>The queue and timer triggers of an app: started together, drained together.</summary>
internal sealed class Listeners(IReadOnlyList<Func<CancellationToken, CancellationToken, Task>> runs, ILogger logger, CancellationToken abort) : IDisposable
{
    private readonly Lock _lock = new();
    private CancellationTokenSource? _stopping;
    private Task[] _tasks = [];

    /// <summary>True from a drain to the next start.</summary>
    public bool IsDraining { get; private set; }

    /// <summary>Triggers that run, or whose last invocations go on.</summary>
    public int Running
    {
        get
        {
            lock (_lock)
            {
                return _tasks.Count(task => !task.IsCompleted);
            }
        }
    }

    /// <summary>Starts every trigger; does nothing while they run. After a drain, each starts once its last invocations have ended.</summary>
    public void Start()
    {
        lock (_lock)
        {
            if (_stopping is { IsCancellationRequested: false })
            {
                return;
            }

            var earlier = Task.WhenAll(_tasks);
            _stopping?.Dispose();
            _stopping = new CancellationTokenSource();
            IsDraining = false;
            var stopping = _stopping.Token;
            _tasks = [.. runs.Select(run => Task.Run(
                async () =>
                {
                    await earlier;
                    await RunAsync(run, stopping);
                },
                CancellationToken.None))];
        }
    }

    /// <summary>Starts nothing new; completes when what runs has ended.</summary>
    public Task Drain()
    {
        lock (_lock)
        {
            IsDraining = true;
            _stopping?.Cancel();
            return Task.WhenAll(_tasks);
        }
    }

    /// <summary>One trigger that breaks keeps no other from starting, draining or stopping.</summary>
    private async Task RunAsync(Func<CancellationToken, CancellationToken, Task> run, CancellationToken stopping)
    {
        try
        {
            await run(stopping, abort);
        }
        catch (Exception exception) when (exception is not OperationCanceledException || !stopping.IsCancellationRequested)
        {
            logger.ListenerFailed(exception);
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    public void Dispose() => _stopping?.Dispose();
}
