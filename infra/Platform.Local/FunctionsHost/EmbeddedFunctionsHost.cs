using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Platform.Jobs;
using Platform.Local.FunctionsHost.Admin;
using Platform.Local.FunctionsHost.App;
using Platform.Local.FunctionsHost.Http;
using Platform.Local.FunctionsHost.Keys;
using Platform.Local.FunctionsHost.Queues;

namespace Platform.Local.FunctionsHost;

/// <summary>A Functions host for custom handlers in this process: reads the files of a function app, runs its handler, serves its triggers.</summary>
/// <remarks>
/// Serves the contract that <c>func start</c> serves, on the same files: HTTP (proxied, forwarded or enveloped), queues (Azure Storage or embedded), timers, keys and the admin paths.
/// The port, the queues and the keys live as long as the host. The app behind them is loaded anew when its files change; requests that come meanwhile wait.
/// </remarks>
internal sealed class EmbeddedFunctionsHost : IHostControl, IAsyncDisposable
{
    private readonly FunctionsHostOptions _options;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _loading = new(1);
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource<IFrontDoor> _door = NewDoor();
    private Task _following = Task.CompletedTask;
    private WebApplication? _server;
    private EmbeddedQueueStore? _queueStore;
    private HostKeys? _keys;
    private RunningApp? _app;
    private bool _isOffline;
    private int _stops;

    private EmbeddedFunctionsHost(FunctionsHostOptions options, ILogger logger)
    {
        _options = options;
        _logger = logger;
    }

    /// <summary>The port on which the host listens.</summary>
    public int Port { get; private set; }

    /// <summary>Process id of the handler; null while none runs, or if the app has no functions.</summary>
    public int? HandlerProcessId => _app?.HandlerProcessId;

    /// <summary>The functions of the app in load order, those that are off with their reason.</summary>
    public IReadOnlyList<FunctionDefinition> Functions => _app!.State.Functions;

    /// <summary>The HTTP routes, in the order in which they are tried.</summary>
    public IReadOnlyList<HttpRoute> Routes => _app!.State.Routes.Routes;

    /// <summary>The embedded queues of this host.</summary>
    public EmbeddedQueueStore Queues => _queueStore!;

    /// <summary>Fails if the host has given up on its handler; otherwise ends with <see cref="StopAsync"/>.</summary>
    public Task Stopped => _stopped.Task;

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

        await _stopping.CancelAsync();
        await _following;
        await _loading.WaitAsync(CancellationToken.None);
        if (_app is not null)
        {
            await _app.DisposeAsync();
        }

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

        _stopped.TrySetCanceled(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _stopping.Dispose();
        _loading.Dispose();
    }

    void IHostControl.Restart(string reason) => _ = Task.Run(() => ReloadAsync(reason), CancellationToken.None);

    void IHostControl.SetOffline(bool offline)
    {
        _isOffline = offline;
        _ = Task.Run(() => ReloadAsync(offline ? "it is taken offline" : "it is taken online"), CancellationToken.None);
    }

    private static TaskCompletionSource<IFrontDoor> NewDoor() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private async Task StartAsync(ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        if (!Directory.Exists(_options.AppRoot))
        {
            throw new FunctionAppException($"There is no folder '{_options.AppRoot}'; expected a function app: host.json and one folder per function. Name it with --app-root.");
        }

        var files = AppFiles.Fingerprint(_options.AppRoot);
        var server = BuildServer(loggers);
        Directory.CreateDirectory(_options.StateFolder);
        _queueStore = await EmbeddedQueueStore.OpenAsync(Path.Combine(_options.StateFolder, "queues"), _options.QueueLimitBytes, _options.TimeProvider, cancellationToken);
        _keys = HostKeys.Load(Path.Combine(_options.StateFolder, "keys.json"));
        var app = _app = RunningApp.Load(_options, _queueStore, _keys, server.Services, this, _logger);
        server.Run(HandleAsync);
        await ListenAsync(server);
        _door.SetResult(app.Front);
        await app.StartAsync(cancellationToken);
        _logger.Listening(_options.Address, Port, app.State.Functions.Count(function => function.Runs));
        Watch(app);
        _following = FollowFilesAsync(files);
    }

    private WebApplication BuildServer(ILoggerFactory loggers)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = _options.AppRoot });
        builder.Services.AddSingleton(loggers);
        builder.Services.AddSingleton<IHostLifetime, EmbeddedLifetime>();
        builder.Services.AddRouting();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;

            // The bytes of a handler's headers are passed on, whatever they mean; see HandlerGeneration.
            kestrel.ResponseHeaderEncodingSelector = static _ => Encoding.Latin1;

            // Each app has a limit of its own, which its front door sets per request.
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(IPAddress.Parse(_options.Address), _options.Port);
        });

        // A request goes on where its bytes arrived; nothing on that way blocks. Asking for bytes before there is a buffer for them would be one more call of the kernel each time.
        builder.WebHost.UseSockets(sockets => (sockets.UnsafePreferInlineScheduling, sockets.WaitForDataBeforeAllocatingBuffer) = (true, false));
        _server = builder.Build();
        return _server;
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
        catch (SocketException exception)
        {
            throw new FunctionAppException($"The host cannot listen on {_options.Address}, port {_options.Port}: {exception.Message}. Choose an address of this machine, and a port that this user may open.", exception);
        }

        var address = server.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        Port = new Uri(address).Port;
    }

    /// <summary>Gives the request to the app; one that came while the app is being exchanged goes to the next one.</summary>
    private async Task HandleAsync(HttpContext context)
    {
        while (true)
        {
            var door = Volatile.Read(ref _door).Task;
            if (await (await (door.IsCompletedSuccessfully ? door : door.WaitAsync(context.RequestAborted))).HandleAsync(context))
            {
                return;
            }

            if (_stopping.IsCancellationRequested)
            {
                context.Response.Headers.Connection = "close";
                await context.WriteProblemAsync(503, ErrorCodes.Unavailable, "The host is stopping.");
                return;
            }

            await Task.Yield();
        }
    }

    private async Task FollowFilesAsync(string? known)
    {
        try
        {
            while (true)
            {
                known = await AppFiles.WaitForChangeAsync(_options.AppRoot, known, _options.FileCheckInterval, TimeProvider.System, _stopping.Token);
                await ReloadAsync("its files have changed");
            }
        }
        catch (OperationCanceledException)
        {
            // Stopping.
        }
    }

    /// <summary>Stops the app that runs, and loads it anew. One that cannot be loaded leaves the host up, in the state Error, until its files change again.</summary>
    private async Task ReloadAsync(string reason)
    {
        try
        {
            await _loading.WaitAsync(_stopping.Token);
        }
        catch (Exception exception) when (exception is OperationCanceledException or ObjectDisposedException)
        {
            return;
        }

        try
        {
            _logger.Reloading(reason);
            var opening = NewDoor();
            Volatile.Write(ref _door, opening);
            if (_app is { } old)
            {
                _app = null;
                await old.DisposeAsync();
            }

            opening.SetResult(_isOffline ? Closed("Offline", "It was taken offline; PUT \"running\" to /admin/host/state starts it.") : await LoadAsync());
        }
        finally
        {
            _loading.Release();
        }
    }

    private async Task<IFrontDoor> LoadAsync()
    {
        RunningApp? app = null;
        try
        {
            app = RunningApp.Load(_options, _queueStore!, _keys!, _server!.Services, this, _logger);
            await app.StartAsync(_stopping.Token);
            _app = app;
            Watch(app);
            return app.Front;
        }
        catch (Exception exception)
        {
            // Whatever it is: requests wait for a door, and the file that is at fault may be mended.
            if (app is not null)
            {
                await app.DisposeAsync();
            }

            _logger.NotReloaded(exception.Message);
            return Closed("Error", exception.Message);
        }
    }

    private FaultDoor Closed(string state, string reason) => new(state, reason, RunningApp.GateOf(_options, _keys!), this);

    /// <summary>A handler that cannot be kept running ends the host, as the contract says.</summary>
    private void Watch(RunningApp app) => _ = app.Failed.ContinueWith(
        failed =>
        {
            app.State.State = "Error";
            _stopped.TrySetException(failed.Exception!.InnerExceptions);
            _ = _stopped.Task.Exception;
        },
        CancellationToken.None,
        TaskContinuationOptions.OnlyOnFaulted,
        TaskScheduler.Default);
}
