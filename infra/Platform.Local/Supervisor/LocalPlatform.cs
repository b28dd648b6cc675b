using Platform.DataPlane;
using Platform.Jobs;
using Platform.Local.FunctionsHost;
using Platform.Local.FunctionsHost.Http;
using Platform.Local.Sidecar;
using Platform.Local.Sidecar.Resources;

namespace Platform.Local.Supervisor;

/// <summary>The whole platform on one machine: embedded sidecars, the embedded Functions host, and the apps of a <c>dapr.yaml</c> as child processes.</summary>
/// <remarks>Owns everything it starts; disposing stops it in the order in which nothing acknowledged is lost: door first, then apps, then sidecars.</remarks>
internal sealed class LocalPlatform : IAsyncDisposable
{
    private readonly LocalPlatformOptions _options;
    private readonly HomeLock _home;
    private readonly PortPlan _ports;
    private readonly DateTimeOffset _startedAt;
    private readonly List<ProcessLog> _logs = [];
    private readonly List<AppProcess> _processes = [];
    private readonly List<EmbeddedSidecar> _sidecars = [];
    private readonly Lock _runFile = new();
    private readonly ILoggerFactory _loggers;
    private readonly ILogger _logger;
    private SidecarCluster? _cluster;
    private EmbeddedFunctionsHost? _functions;
    private int _handlerStarts;
    private bool _started;

    private LocalPlatform(LocalPlatformOptions options, HomeLock home, PortPlan ports)
    {
        _options = options;
        _home = home;
        _ports = ports;
        _startedAt = options.Time.GetUtcNow();
        var log = OpenLog("platform");
        _loggers = LoggerFactory.Create(logging => logging
            .SetMinimumLevel(options.LogLevel)
            .AddFilter("Microsoft.AspNetCore", LogLevel.Warning)
            .AddFilter("System.Net.Http", LogLevel.Warning)
            .AddRequestFilter()
            .AddProvider(new FollowLoggerProvider(log, options.Time)));
        _logger = _loggers.CreateLogger("Supervisor");
    }

    /// <summary>Address of the Functions host; null if the template has no function app.</summary>
    public Uri? Url => _functions is { } host ? new($"http://{(_options.Address is "0.0.0.0" or "*" ? "127.0.0.1" : _options.Address)}:{host.Port}/") : null;

    /// <summary>What each sidecar serves from the embedded store in place of a named component.</summary>
    public IReadOnlyList<ServedComponent> Replaced => [.. _sidecars.SelectMany(sidecar => sidecar.Report.Components).Where(component => component.ReplacedBy is not null).Distinct()];

    /// <summary>The programs and where they are; changes as they die and come back.</summary>
    public IReadOnlyList<RunningProcess> Processes =>
    [
        .. _processes.Select(process => new RunningProcess(process.Name, process.ProcessId, _ports.App(process.Name), _ports.Dapr(process.Name), process.Restarts, process.GaveUp)),
        .. _options.Template.Apps.Where(app => app.IsFunctionApp).Select(app => new RunningProcess(app.AppId, _functions?.HandlerProcessId, _functions?.Port, _ports.Dapr(app.AppId), Math.Max(0, Volatile.Read(ref _handlerStarts) - 1))),
    ];

    /// <summary>Starts everything and returns when every part answers.</summary>
    /// <exception cref="PlatformException">The state folder or a port is in use, a program cannot be started, a part does not become ready.</exception>
    public static async Task<LocalPlatform> StartAsync(LocalPlatformOptions options, CancellationToken cancellationToken)
    {
        InlineSockets.Enable();
        var home = HomeLock.Take(options.Home);
        LocalPlatform? platform = null;
        try
        {
            await Leftovers.WaitForEndAsync(options.Home, options.Time, cancellationToken);
            var ports = PortPlan.Make(options.Template, options.FunctionsPort, options.AppPorts, options.DaprPorts, options.AnyPorts);
            platform = new LocalPlatform(options, home, ports);
            await platform.StartPartsAsync(cancellationToken);
            return platform;
        }
        catch
        {
            if (platform is not null)
            {
                await platform.DisposeAsync();
            }
            else
            {
                home.Dispose();
            }

            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        lock (_runFile)
        {
            _started = false;
        }

        if (_functions is not null)
        {
            await _functions.DisposeAsync();
        }

        await Task.WhenAll(_processes.Select(process => process.DisposeAsync().AsTask()));
        await Task.WhenAll(_sidecars.Select(sidecar => sidecar.DisposeAsync().AsTask()));
        if (_cluster is not null)
        {
            await _cluster.DisposeAsync();
        }

        _loggers.Dispose();
        foreach (var log in _logs)
        {
            await log.DisposeAsync();
        }

        File.Delete(_home.Home.RunFile);
        _home.Dispose();
    }

    private async Task StartPartsAsync(CancellationToken cancellationToken)
    {
        try
        {
            await StartSidecarsAsync(cancellationToken);
        }
        catch (Exception error) when (error is SidecarException or ResourceException or StorageException)
        {
            throw new PlatformException(error.Message, error);
        }

        foreach (var app in _options.Template.Apps.Where(app => !app.IsFunctionApp && app.Command.Count > 0))
        {
            _processes.Add(StartProcess(app));
        }

        if (_options.Template.Apps.FirstOrDefault(app => app.IsFunctionApp) is { } functions)
        {
            await StartFunctionsAsync(functions, cancellationToken);
        }

        lock (_runFile)
        {
            _started = true;
        }

        WriteRunFile();
        await WaitUntilReadyAsync(cancellationToken);
    }

    /// <summary>Starts an app; one whose sidecar finds it unhealthy is ended and started again.</summary>
    private AppProcess StartProcess(AppTemplate app)
    {
        var sidecar = _sidecars.Find(sidecar => sidecar.AppId == app.AppId)!;
        var isChecked = sidecar.Options is { EnableAppHealthCheck: true, AppPort: not null };
        var process = AppProcess.Start(app, EnvironmentOf(app), OpenLog(app.AppId), isChecked ? () => sidecar.IsReady : null, WriteRunFile, _options.Time);
        sidecar.AppUnhealthy += (_, unhealthy) => process.EndUnhealthy(unhealthy.Reason);
        return process;
    }

    private async Task StartSidecarsAsync(CancellationToken cancellationToken)
    {
        _cluster = await SidecarCluster.OpenAsync(new SidecarClusterOptions { StateFolder = _home.Home.Sidecar, LoggerFactory = _loggers, Time = _options.Time }, cancellationToken);
        foreach (var app in _options.Template.Apps)
        {
            _sidecars.Add(await _cluster.StartAsync(ToSidecar(app), cancellationToken));
        }
    }

    private async Task StartFunctionsAsync(AppTemplate app, CancellationToken cancellationToken)
    {
        var log = OpenLog(app.AppId);
        try
        {
            _functions = await EmbeddedFunctionsHost.StartAsync(
                new FunctionsHostOptions
                {
                    AppRoot = app.Folder,
                    Port = _ports.Functions,
                    Address = _options.Address,
                    StateFolder = _home.Home.Functions,
                    Environment = EnvironmentOf(app),
                    HandlerOutput = (line, _) => log.Write(line),
                    HandlerReady = HandlerBecameReady,
                    TimeProvider = _options.Time,
                },
                _loggers,
                cancellationToken);
        }
        catch (FunctionAppException error)
        {
            throw new PlatformException($"{app.AppId}: {error.Message}", error);
        }
    }

    private async Task WaitUntilReadyAsync(CancellationToken cancellationToken)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        var started = _options.Time.GetTimestamp();
        foreach (var app in _options.Template.Apps)
        {
            while (!await AnswersAsync(http, new Uri($"http://127.0.0.1:{_ports.Dapr(app.AppId)}/v1.0/healthz"), cancellationToken))
            {
                if (_options.Time.GetElapsedTime(started) > TimeSpan.FromSeconds(60))
                {
                    throw new PlatformException($"{app.AppId} was not ready within 60 s. Its log: {Path.Combine(_home.Home.Logs, app.AppId + ".log")}");
                }

                await Task.Delay(TimeSpan.FromMilliseconds(50), _options.Time, cancellationToken);
            }
        }
    }

    private static async Task<bool> AnswersAsync(HttpClient http, Uri url, CancellationToken cancellationToken)
    {
        try
        {
            using var answer = await http.GetAsync(url, cancellationToken);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private SidecarOptions ToSidecar(AppTemplate app) => app.Sidecar with
    {
        AppPort = _ports.App(app.AppId),
        HttpPort = _ports.Dapr(app.AppId),
        ApiToken = TokenOf(app, "DAPR_API_TOKEN"),
        AppApiToken = TokenOf(app, "APP_API_TOKEN"),
    };

    // As with the Dapr CLI, sidecar and app get the same environment.
    private static string? TokenOf(AppTemplate app, string variable) => app.Environment.GetValueOrDefault(variable) ?? Environment.GetEnvironmentVariable(variable);

    // What the Dapr CLI sets for an app, and the state folder.
    private Dictionary<string, string> EnvironmentOf(AppTemplate app)
    {
        var environment = new Dictionary<string, string>
        {
            ["APP_ID"] = app.AppId,
            ["APP_CHANNEL_ADDRESS"] = app.Sidecar.AppChannelAddress,
            ["APP_PROTOCOL"] = app.Sidecar.AppProtocol,
            ["DAPR_HTTP_PORT"] = _ports.Dapr(app.AppId).ToString(),
            [HomeFolder.Variable] = _home.Home.Root,
        };
        if (_ports.App(app.AppId) is { } port)
        {
            environment["APP_PORT"] = port.ToString();
        }

        foreach (var (name, value) in app.Environment)
        {
            environment[name] = value;
        }

        return environment;
    }

    private void HandlerBecameReady()
    {
        Interlocked.Increment(ref _handlerStarts);
        WriteRunFile();
    }

    private ProcessLog OpenLog(string name)
    {
        var log = new ProcessLog(name, _options.Home.Logs, _options.Follow);
        _logs.Add(log);
        return log;
    }

    private void WriteRunFile()
    {
        lock (_runFile)
        {
            if (_started)
            {
                try
                {
                    new RunFile(Environment.ProcessId, _startedAt, Url?.ToString(), Processes).Write(_home.Home);
                }
                catch (Exception error) when (error is IOException or UnauthorizedAccessException)
                {
                    // On a full disk the platform goes on; only those who look for it find old process ids.
                    SupervisorLog.RunFileNotWritten(_logger, _home.Home.RunFile, error.Message);
                }
            }
        }
    }
}
