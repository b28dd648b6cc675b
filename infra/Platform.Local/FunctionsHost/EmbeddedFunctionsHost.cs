using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Platform.Local.FunctionsHost.Admin;
using Platform.Local.FunctionsHost.App;
using Platform.Local.FunctionsHost.Handler;
using Platform.Local.FunctionsHost.Http;
using Platform.Local.FunctionsHost.Invocations;
using Platform.Local.FunctionsHost.Keys;
using Platform.Local.FunctionsHost.Queues;
using Platform.Local.FunctionsHost.Timers;
using Yarp.ReverseProxy.Forwarder;

namespace Platform.Local.FunctionsHost;

/// <summary>A Functions host for custom handlers in this process: reads the files of a function app, runs its handler, serves its triggers.</summary>
/// <remarks>Serves the contract that <c>func start</c> serves, on the same files: HTTP (proxied, forwarded or enveloped), queues (Azure Storage or embedded), timers, keys and the admin paths.</remarks>
internal sealed class EmbeddedFunctionsHost : IAsyncDisposable
{
    private const long StandardBodyLimitBytes = 104_857_600;

    private readonly FunctionsHostOptions _options;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationTokenSource _abort = new();
    private readonly InFlight _inFlight = new();
    private readonly List<Task> _listeners = [];
    private WebApplication? _server;
    private HandlerSupervisor? _supervisor;
    private EmbeddedQueueStore? _queueStore;
    private FunctionHostState? _state;
    private int _stops;

    private EmbeddedFunctionsHost(FunctionsHostOptions options, ILogger logger)
    {
        _options = options;
        _logger = logger;
    }

    /// <summary>The port on which the host listens.</summary>
    public int Port { get; private set; }

    /// <summary>Process id of the handler; null while none runs, or if the app has no functions.</summary>
    public int? HandlerProcessId => _supervisor?.ProcessId;

    /// <summary>The functions of the app in load order, those that are off with their reason.</summary>
    public IReadOnlyList<FunctionDefinition> Functions => _state!.Functions;

    /// <summary>The HTTP routes, in the order in which they are tried.</summary>
    public IReadOnlyList<HttpRoute> Routes => _state!.Routes.Routes;

    /// <summary>The embedded queues of this host.</summary>
    public EmbeddedQueueStore Queues => _queueStore!;

    /// <summary>Fails if the host has given up on its handler; otherwise ends with <see cref="StopAsync"/>.</summary>
    public Task Stopped { get; private set; } = Task.CompletedTask;

    /// <summary>Starts the host; completes when the handler answers and every trigger is served.</summary>
    /// <exception cref="PortInUseException">The port belongs to another process.</exception>
    /// <exception cref="FunctionAppException">The app cannot be served, or its handler does not start.</exception>
    public static async Task<EmbeddedFunctionsHost> StartAsync(FunctionsHostOptions options, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var host = new EmbeddedFunctionsHost(options with { AppRoot = Path.GetFullPath(options.AppRoot) }, loggers.CreateLogger("Platform.FunctionsHost"));
        try
        {
            await host.StartAsync(loggers, cancellationToken);
            return host;
        }
        catch
        {
            await host.DisposeAsync();
            throw;
        }
    }

    /// <summary>Stops: no new requests and messages, those under way may end within <see cref="FunctionsHostOptions.DrainTimeout"/>, then the handler ends.</summary>
    public async Task StopAsync()
    {
        if (Interlocked.Exchange(ref _stops, 1) != 0)
        {
            return;
        }

        if (_state is not null)
        {
            _state.State = "Stopping";
        }

        await _stopping.CancelAsync();
        var draining = Task.WhenAll([_inFlight.DrainAsync(), .. _listeners]);
        await Task.WhenAny(draining, Task.Delay(_options.DrainTimeout, CancellationToken.None));
        await _abort.CancelAsync();
        if (_supervisor is not null)
        {
            await _supervisor.DisposeAsync();
        }

        await Task.WhenAll(_listeners);
        if (_server is not null)
        {
            using var now = new CancellationTokenSource(TimeSpan.FromSeconds(1));
            await _server.StopAsync(now.Token);
            await _server.DisposeAsync();
        }

        if (_queueStore is not null)
        {
            await _queueStore.DisposeAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stopping.Dispose();
        _abort.Dispose();
    }

    private async Task StartAsync(ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var settings = AppSettings.Load(_options.AppRoot, _options.Environment);
        var host = HostSettings.Load(_options.AppRoot, settings);
        Directory.CreateDirectory(_options.StateFolder);
        _queueStore = await EmbeddedQueueStore.OpenAsync(Path.Combine(_options.StateFolder, "queues"), _options.QueueLimitBytes, _options.TimeProvider, cancellationToken);
        _supervisor = new HandlerSupervisor(host.Handler, _options.AppRoot, settings.Additions, _options.HandlerOutput ?? LogOutput, _options.HandlerReady, _options.TimeProvider, _logger);
        var queues = new QueueProviders(settings, _queueStore, _options.TimeProvider);
        var invoker = new FunctionInvoker(_supervisor, new OutputBinder(queues, settings, host), host, _options.TimeProvider, _logger);

        var functions = FunctionAppReader.Read(_options.AppRoot, settings, host.Functions).ToList();
        var bodyLimit = long.TryParse(settings["FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"], CultureInfo.InvariantCulture, out var limit) ? limit : StandardBodyLimitBytes;
        var server = BuildServer(loggers, bodyLimit);
        var routes = new RouteTable([.. functions], host.RoutePrefix, server.Services.GetRequiredService<IInlineConstraintResolver>(), (function, reason) => TurnOff(functions, function, reason));
        var timers = MakeTimers(functions, settings, invoker);
        foreach (var function in functions.Where(function => function.Error is not null))
        {
            _logger.FunctionOff(function.Name, function.Error!);
        }

        _state = new FunctionHostState(functions, routes, () => HandlerProcessId);
        var front = MakeFrontDoor(settings, host, invoker, server, bodyLimit);
        server.Run(front.HandleAsync);
        await ListenAsync(server);
        await StartHandlerAsync(functions, cancellationToken);
        StartListeners(functions, settings, host, queues, invoker, timers);
        _state.State = "Running";
        Stopped = WatchAsync();
    }

    /// <summary>A function that turns out to be unfit after its file was read.</summary>
    private static void TurnOff(List<FunctionDefinition> functions, FunctionDefinition function, string reason)
    {
        var index = functions.FindIndex(candidate => candidate.Name == function.Name);
        functions[index] = function with { Error = $"{function.Name}/function.json: {reason}" };
    }

    private WebApplication BuildServer(ILoggerFactory loggers, long bodyLimit)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = _options.AppRoot });
        builder.Services.AddSingleton(loggers);
        builder.Services.AddSingleton<IHostLifetime, EmbeddedLifetime>();
        builder.Services.AddRouting();
        builder.Services.AddHttpForwarder();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = bodyLimit;
            kestrel.Listen(IPAddress.Parse(_options.Address), _options.Port);
        });
        _server = builder.Build();
        return _server;
    }

    private HttpFrontDoor MakeFrontDoor(AppSettings settings, HostSettings host, FunctionInvoker invoker, WebApplication server, long bodyLimit)
    {
        var keys = HostKeys.Load(Path.Combine(_options.StateFolder, "keys.json"));
        var gate = new KeyGate(keys, _options.EnforceKeysOnLoopback || !IPAddress.IsLoopback(IPAddress.Parse(_options.Address)));
        var manual = new ManualTrigger(invoker, _options.TimeProvider, _abort.Token);
        var admin = new AdminEndpoints(_state!, gate, new KeyEndpoints(keys), new QueueEndpoints(_queueStore!, host.Queues), manual);
        var raw = new RawHttpRunner(_supervisor!, invoker, server.Services.GetRequiredService<IHttpForwarder>(), host, _logger);
        var hasHomepage = !"true".Equals(settings["AzureWebJobsDisableHomepage"], StringComparison.OrdinalIgnoreCase);
        return new HttpFrontDoor(host, _state!, gate, admin, raw, new EnvelopeHttpRunner(invoker, _options.TimeProvider), _inFlight, bodyLimit, hasHomepage, _logger);
    }

    private async Task ListenAsync(WebApplication server)
    {
        try
        {
            await server.StartAsync(CancellationToken.None);
        }
        catch (IOException exception) when (exception.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException)
        {
            throw new PortInUseException(_options.Address, _options.Port, exception);
        }

        var address = server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        Port = new Uri(address).Port;
    }

    private async Task StartHandlerAsync(List<FunctionDefinition> functions, CancellationToken cancellationToken)
    {
        if (functions.Any(function => function.Runs))
        {
            _supervisor!.Start();
            await _supervisor.WaitReadyAsync(cancellationToken);
        }

        _logger.Listening(_options.Address, Port, functions.Count(function => function.Runs));
    }

    private Dictionary<string, TimerListener> MakeTimers(List<FunctionDefinition> functions, AppSettings settings, FunctionInvoker invoker)
    {
        var timers = new Dictionary<string, TimerListener>();
        foreach (var function in functions.Where(function => function.Runs && function.Trigger.Type == BindingTypes.TimerTrigger).ToList())
        {
            try
            {
                timers[function.Name] = new TimerListener(function, settings, invoker, Path.Combine(_options.StateFolder, "timers"), _options.TimeProvider, _logger);
            }
            catch (Exception exception) when (exception is FormatException or TimeZoneNotFoundException)
            {
                TurnOff(functions, function, exception.Message);
            }
        }

        return timers;
    }

    private void StartListeners(List<FunctionDefinition> functions, AppSettings settings, HostSettings host, QueueProviders queues, FunctionInvoker invoker, Dictionary<string, TimerListener> timers)
    {
        foreach (var function in functions.Where(function => function.Runs && function.Trigger.Type == BindingTypes.QueueTrigger))
        {
            var listener = new QueueListener(function, settings.Expand(function.Trigger.Text("queueName") ?? ""), queues, invoker, host.Queues, _options.TimeProvider, _logger);
            _listeners.Add(Task.Run(() => listener.RunAsync(_stopping.Token, _abort.Token), CancellationToken.None));
        }

        foreach (var timer in timers.Values)
        {
            _listeners.Add(Task.Run(() => timer.RunAsync(_stopping.Token, _abort.Token), CancellationToken.None));
        }
    }

    private async Task WatchAsync()
    {
        var stopped = Task.Delay(Timeout.Infinite, _stopping.Token);
        var first = await Task.WhenAny(stopped, _supervisor!.Failed);
        if (first != stopped)
        {
            _state!.State = "Error";
            await first;
        }
    }

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
