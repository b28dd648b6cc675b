using Platform.Local.Sidecar.Absent;
using Platform.Local.Sidecar.Actors;
using Platform.Local.Sidecar.App;
using Platform.Local.Sidecar.Http;
using Platform.Local.Sidecar.Invocation;
using Platform.Local.Sidecar.PubSub;
using Platform.Local.Sidecar.Resources;
using Platform.Local.Sidecar.Secrets;
using Platform.Local.Sidecar.State;

namespace Platform.Local.Sidecar;

/// <summary>The sidecar of one app: serves Dapr's HTTP API on a loopback port and calls the app back.</summary>
/// <remarks>The app may die and come back at any moment: calls fail with Dapr's errors until it is back, then placement, reminders and subscriptions follow.</remarks>
internal sealed class EmbeddedSidecar : IAsyncDisposable
{
    private readonly SidecarCluster _cluster;
    private readonly AppChannel _app;
    private readonly HttpEndpoints _endpoints;
    private readonly SidecarActors _actors;
    private readonly SidecarSubscriptions _subscriptions;
    private readonly AppWatcher _watcher;
    private readonly ILogger _log;
    private readonly bool _hasActorStore;
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private SidecarServer? _server;
    private int _disposing;

    private EmbeddedSidecar(SidecarCluster cluster, SidecarOptions options, AppChannel app, HttpEndpoints endpoints, SidecarActors actors, SidecarSubscriptions subscriptions, bool hasActorStore, SidecarReport report, ILogger log)
    {
        _cluster = cluster;
        _app = app;
        _endpoints = endpoints;
        _actors = actors;
        _subscriptions = subscriptions;
        _log = log;
        _hasActorStore = hasActorStore;
        Options = options;
        Report = report;
        _watcher = new AppWatcher(app, options, log, cluster.Options.Time, CameUpAsync, WentAwayAsync, reason => AppUnhealthy?.Invoke(this, new AppUnhealthyEventArgs(reason)));
    }

    /// <summary>The app failed its health checks as often in a row as its threshold says. Nothing is sent to it until one succeeds again.</summary>
    public event EventHandler<AppUnhealthyEventArgs>? AppUnhealthy;

    public SidecarOptions Options { get; }

    /// <summary>Id of the app.</summary>
    public string AppId => Options.AppId;

    /// <summary>Port of the HTTP API.</summary>
    public int HttpPort => _server!.Port;

    /// <summary>What is served, and by what.</summary>
    public SidecarReport Report { get; }

    /// <summary>True when the app is up and its callbacks are loaded, or there is no app to wait for.</summary>
    public bool IsReady => Options.AppPort is null || _watcher.IsUp;

    /// <summary>Completes when the sidecar has stopped, on its own request or by disposal.</summary>
    public Task Stopped => _stopped.Task;

    public static async Task<EmbeddedSidecar> StartAsync(SidecarCluster cluster, SidecarOptions options, CancellationToken cancellationToken)
    {
        Validate(options);
        var log = new MinimumLevelLogger(cluster.Options.LoggerFactory.CreateLogger("Platform.Local.Sidecar." + options.AppId), options.LogLevel);
        var resources = SidecarResources.Load(options, log);
        var states = resources.Components.Values.Where(component => ComponentTypes.State.Contains(component.Type))
            .ToDictionary(component => component.Name, component => new StateComponent(component, cluster.StoreOf(component.Name), options.AppId), StringComparer.Ordinal);
        var report = new SidecarReport([.. resources.Components.Values.Select(component => new ServedComponent(component.Name, component.Type, ComponentTypes.ReplacedBy(component.Type)))]);
        foreach (var served in report.Components)
        {
            SidecarLog.ComponentServed(log, served.Name, served.Type, options.AppId, served.ReplacedBy ?? "itself");
        }

        var actorStore = ActorStoreOf(states.Values);
        var app = new AppChannel(options) { AccessControl = resources.Configuration.AccessControl };
        var endpoints = new HttpEndpoints(resources.Endpoints);
        var actors = new SidecarActors(options.AppId) { HasStateTimeToLive = resources.Configuration.Features.Contains("ActorStateTTL") };
        var policies = resources.Policies(cluster.Options.Time);
        var topics = resources.Components.Values.Where(component => ComponentTypes.PubSub.Contains(component.Type))
            .ToDictionary(component => component.Name, component => new PubSubComponent(component, options.AppId), StringComparer.Ordinal);
        var subscriptions = new SidecarSubscriptions(topics, resources.Subscriptions(), cluster.Broker, app, policies, log, cluster.Options.Time);
        var sidecar = new EmbeddedSidecar(cluster, options, app, endpoints, actors, subscriptions, actorStore is not null, report, log);
        var api = new SidecarApi
        {
            Options = options,
            Invocation = new InvocationApi(app, cluster.Apps, cluster.Peers, endpoints, policies, options.MaxBodyBytes, log),
            State = new StateApi(states, options.AppId, policies, options.MaxBodyBytes),
            Publish = new PublishApi(topics, cluster.Broker, policies, options.AppId, options.MaxBodyBytes, cluster.Options.Time),
            Actors = new ActorsApi(
                actors,
                cluster.Actors,
                new ActorStateApi(actors, cluster.Actors, actorStore, policies, options.MaxBodyBytes),
                new ActorScheduleApi(actors, cluster.Actors, cluster.Reminders, options.MaxBodyBytes, log, cluster.Options.Time),
                cluster.Peers,
                policies,
                options.MaxBodyBytes),
            Secrets = new SecretsApi(resources.Secrets, resources.Configuration.Secrets),
            Metadata = new MetadataApi(sidecar, resources, actors, cluster.Actors, subscriptions),
            Access = resources.Configuration.Api,
            PeerSecret = cluster.Peers.Secret,
            Absent = new AbsentBuildingBlocks(options.AppId, actorStore is not null, options.MaxBodyBytes),
            Health = new HealthApi(options.AppId, () => sidecar.IsReady),
            Shutdown = sidecar.Shutdown,
            Log = log,
        };
        cluster.Apps.Add(app);
        try
        {
            sidecar._server = await SidecarServer.StartAsync(options.HttpPort, api.HandleAsync, cluster.Options.LoggerFactory, cancellationToken);
        }
        catch
        {
            cluster.Apps.Remove(app);
            app.Dispose();
            endpoints.Dispose();
            throw;
        }

        cluster.Peers.Publish(options.AppId, sidecar.HttpPort, []);
        SidecarLog.Started(log, options.AppId, sidecar.HttpPort);
        if (options.AppPort is not null)
        {
            sidecar._watcher.Start();
        }

        return sidecar;
    }

    /// <summary>Stops: actors are deactivated, running turns drained, the port given back.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposing, 1) != 0)
        {
            await _stopped.Task;
            return;
        }

        try
        {
            if (_actors.Host is { } host)
            {
                await _cluster.Actors.DrainAsync(host);
            }

            await _watcher.DisposeAsync();
            _cluster.Apps.Remove(_app);
            _cluster.Peers.Withdraw(AppId);
            if (_server is { } server)
            {
                await server.DisposeAsync();
            }

            _app.Dispose();
            _endpoints.Dispose();
        }
        finally
        {
            _stopped.TrySetResult();
        }
    }

    private void Shutdown(bool isForced) => _ = isForced && Options.ForcedShutdown is { } end
        ? Task.Run(end, CancellationToken.None)
        : Task.Run(DisposeAsync, CancellationToken.None);

    private static void Validate(SidecarOptions options)
    {
        if (options.AppId is "" || !options.AppId.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'))
        {
            throw new SidecarException($"App id '{options.AppId}' is not one; expected letters, digits, '-' and '_'.");
        }

        if (options.AppProtocol is not ("http" or "h2c"))
        {
            throw new SidecarException($"App '{options.AppId}' asks for app protocol '{options.AppProtocol}'; the embedded sidecar speaks http and h2c. Run under daprd for the others.");
        }
    }

    private static StateComponent? ActorStoreOf(IEnumerable<StateComponent> states)
    {
        var flagged = states.Where(state => state.IsActorStore).ToList();
        return flagged.Count > 1
            ? throw new ResourceException(flagged[1].Resource.File, flagged[1].Resource.Line, $"component '{flagged[1].Resource.Name}' says actorStateStore, and so does '{flagged[0].Resource.Name}'; only one may.")
            : flagged.FirstOrDefault();
    }

    private async Task CameUpAsync(AppLife life)
    {
        if (life.ActorTypes.Count > 0 && !_hasActorStore)
        {
            SidecarLog.ActorsNotHosted(_log, AppId, string.Join(", ", life.ActorTypes.Select(type => type.Type)));
        }
        else if (life.ActorTypes.Count > 0)
        {
            _actors.Host = new ActorHostApp(_app, life.ActorTypes);
            _cluster.Actors.Placement.Add(_actors.Host);
            _ = _cluster.Actors.RebalanceAsync();
            TellPeers([.. _actors.Host.Types]);
        }

        await _subscriptions.StartAsync(life.Subscriptions);
    }

    private Task WentAwayAsync()
    {
        _subscriptions.Stop();
        if (_actors.Host is { } host)
        {
            _actors.Host = null;
            _cluster.Actors.Placement.Remove(host);
            TellPeers([]);
        }

        return Task.CompletedTask;
    }

    /// <summary>Tells sidecars of other processes what the app hosts. On a full disk they go by what they know.</summary>
    private void TellPeers(IReadOnlyList<string> actorTypes)
    {
        try
        {
            _cluster.Peers.Publish(AppId, HttpPort, actorTypes);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            SidecarLog.PeersNotTold(_log, e, AppId);
        }
    }
}
