using System.Globalization;
using System.Net;
using Platform.Local.FunctionsHost.Admin;
using Platform.Local.FunctionsHost.App;
using Platform.Local.FunctionsHost.Handler;
using Platform.Local.FunctionsHost.Http;
using Platform.Local.FunctionsHost.Invocations;
using Platform.Local.FunctionsHost.Keys;
using Platform.Local.FunctionsHost.Queues;
using Platform.Local.FunctionsHost.Timers;

namespace Platform.Local.FunctionsHost;

/// <summary>One load of an app's files: its settings, functions and routes, its handler process, its triggers. A change of the files makes the next one.</summary>
internal sealed class RunningApp : IAsyncDisposable
{
    private const long StandardBodyLimitBytes = 104_857_600;

    private readonly FunctionsHostOptions _options;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _abort = new();
    private readonly InFlight _inFlight = new();
    private readonly HandlerSupervisor _supervisor;
    private readonly Listeners _listeners;
    private int _stops;

    private RunningApp(FunctionsHostOptions options, EmbeddedQueueStore queueStore, HostKeys keys, IServiceProvider services, IHostControl control, ILogger logger)
    {
        _options = options;
        _logger = logger;
        var settings = AppSettings.Load(options.AppRoot, options.Environment);
        var host = HostSettings.Load(options.AppRoot, settings);
        _supervisor = new HandlerSupervisor(host.Handler, options.AppRoot, settings.Additions, options.HandlerOutput ?? LogOutput, options.HandlerReady, options.TimeProvider, logger);
        var queues = new QueueProviders(settings, queueStore, options.TimeProvider);
        var invoker = new FunctionInvoker(_supervisor, new OutputBinder(queues, settings, host, options.TimeProvider), host, options.TimeProvider, logger);

        var functions = FunctionAppReader.Read(options.AppRoot, settings, host).ToList();
        CheckQueues(functions, settings, queues);
        var routes = new RouteTable([.. functions], host.Http.RoutePrefix, services.GetRequiredService<IInlineConstraintResolver>(), (function, reason) => TurnOff(functions, function, reason));
        var timers = MakeTimers(functions, settings, invoker);
        foreach (var function in functions.Where(function => function.Error is not null))
        {
            logger.FunctionOff(function.Name, function.Error!);
        }

        State = new FunctionHostState(functions, routes, host.ExtensionBundle, () => HandlerProcessId);
        _listeners = new Listeners([.. QueueRuns(functions, settings, host, queues, invoker), .. timers.Select<TimerListener, Func<CancellationToken, CancellationToken, Task>>(timer => timer.RunAsync)], logger, _abort.Token);

        var gate = GateOf(options, keys);
        var manual = new ManualTrigger(invoker, options.TimeProvider, _abort.Token);
        var verbs = new HostVerbs(host, _listeners, _inFlight, control);
        var admin = new AdminEndpoints(State, gate, new KeyEndpoints(keys), new QueueEndpoints(queueStore, host.Queues), manual, verbs);
        var raw = new RawHttpRunner(_supervisor, invoker, host, logger);
        var bodyLimit = long.TryParse(settings["FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"], CultureInfo.InvariantCulture, out var limit) ? limit : StandardBodyLimitBytes;
        var hasHomepage = !"true".Equals(settings["AzureWebJobsDisableHomepage"], StringComparison.OrdinalIgnoreCase);
        Front = new HttpFrontDoor(host, State, gate, admin, raw, new EnvelopeHttpRunner(invoker, options.TimeProvider, logger), _inFlight, settings.Cors, bodyLimit, hasHomepage, logger);
    }

    /// <summary>Takes the app's requests.</summary>
    public IFrontDoor Front { get; }

    public FunctionHostState State { get; }

    /// <summary>Process id of the handler; null while none runs, or if the app has no functions.</summary>
    public int? HandlerProcessId => _supervisor.ProcessId;

    /// <summary>Fails when the host has given up on the handler; otherwise never ends.</summary>
    public Task Failed => _supervisor.Failed;

    /// <summary>Reads the app's files; nothing runs yet.</summary>
    /// <exception cref="FunctionAppException">The app cannot be served.</exception>
    public static RunningApp Load(FunctionsHostOptions options, EmbeddedQueueStore queueStore, HostKeys keys, IServiceProvider services, IHostControl control, ILogger logger) =>
        new(options, queueStore, keys, services, control, logger);

    public static KeyGate GateOf(FunctionsHostOptions options, HostKeys keys) => new(keys, options.EnforceKeysOnLoopback || !IPAddress.IsLoopback(IPAddress.Parse(options.Address)));

    /// <summary>Starts the handler, if there are functions, and then the triggers.</summary>
    /// <exception cref="FunctionAppException">The handler does not start.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (State.Functions.Any(function => function.Error is null))
        {
            _supervisor.Start();
            await _supervisor.WaitReadyAsync(cancellationToken);
        }

        _listeners.Start();
        State.State = "Running";
    }

    /// <summary>Stops: no new requests and messages, those under way may end within <see cref="FunctionsHostOptions.DrainTimeout"/>, then the handler ends.</summary>
    public async Task StopAsync()
    {
        if (Interlocked.Exchange(ref _stops, 1) != 0)
        {
            return;
        }

        State.State = "Stopping";
        var triggers = _listeners.Drain();
        await Task.WhenAny(Task.WhenAll(_inFlight.DrainAsync(), triggers), Task.Delay(_options.DrainTimeout, CancellationToken.None));
        await _abort.CancelAsync();
        await _supervisor.DisposeAsync();
        await triggers;
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _listeners.Dispose();
        _abort.Dispose();
    }

    /// <summary>A function that turns out to be unfit after its file was read.</summary>
    private static void TurnOff(List<FunctionDefinition> functions, FunctionDefinition function, string reason)
    {
        var index = functions.FindIndex(candidate => candidate.Name == function.Name);
        functions[index] = function with { Error = $"{function.Name}/function.json: {reason}" };
    }

    /// <summary>A queue that can never be opened is a fault of its function, not of each message.</summary>
    private static void CheckQueues(List<FunctionDefinition> functions, AppSettings settings, QueueProviders queues)
    {
        foreach (var function in functions.Where(function => function.Runs).ToList())
        {
            try
            {
                foreach (var binding in function.Bindings.Where(binding => binding.Type is BindingTypes.QueueTrigger or BindingTypes.Queue))
                {
                    queues.Check(settings.Expand(binding.Text("queueName") ?? throw new FunctionAppException($"the binding '{binding.Name}' has no queueName.")), binding.Text("connection"));
                }
            }
            catch (FunctionAppException exception)
            {
                TurnOff(functions, function, exception.Message);
            }
        }
    }

    private List<TimerListener> MakeTimers(List<FunctionDefinition> functions, AppSettings settings, FunctionInvoker invoker)
    {
        var timers = new List<TimerListener>();
        foreach (var function in functions.Where(function => function.Runs && function.Trigger.Type == BindingTypes.TimerTrigger).ToList())
        {
            try
            {
                timers.Add(new TimerListener(function, settings, (envelope, abort) => invoker.InvokeAsync(function, envelope, abort), Path.Combine(_options.StateFolder, "timers"), _options.TimeProvider, _logger));
            }
            catch (Exception exception) when (exception is FormatException or TimeZoneNotFoundException)
            {
                TurnOff(functions, function, exception.Message);
            }
        }

        return timers;
    }

    private IEnumerable<Func<CancellationToken, CancellationToken, Task>> QueueRuns(List<FunctionDefinition> functions, AppSettings settings, HostSettings host, QueueProviders queues, FunctionInvoker invoker) => functions
        .Where(function => function.Runs && function.Trigger.Type == BindingTypes.QueueTrigger)
        .Select<FunctionDefinition, Func<CancellationToken, CancellationToken, Task>>(function =>
            new QueueListener(function, settings.Expand(function.Trigger.Text("queueName") ?? ""), queues, invoker, host.Queues, _options.TimeProvider, _logger).RunAsync);

    private void LogOutput(string line, bool isError)
    {
        if (isError)
        {
            _logger.HandlerComplained(line);
        }
        else
        {
            _logger.HandlerSaid(line);
        }
    }
}
