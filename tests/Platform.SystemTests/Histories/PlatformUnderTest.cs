using Platform.Dapr;
using Platform.Dapr.Actors;
using Platform.Dapr.Http;
using Platform.DataPlane.ObjectStorage;
using Platform.DataPlane.Weights;
using Platform.Jobs;
using Platform.Local;
using Platform.Local.Sidecar;
using Platform.UnitTests.Engines;

namespace Platform.SystemTests.Histories;

/// <summary>Control and two workers as real processes under embedded sidecars, with a small model published, in a folder of its own.</summary>
internal sealed class PlatformUnderTest : IAsyncDisposable
{
    public const string Model = "random";
    private static readonly string Repository = FindRepository();
    private readonly string _home;
    private readonly Dictionary<string, AppProcess> _apps = [];
    private readonly Dictionary<string, SidecarOptions> _sidecarOptions = [];
    private readonly Dictionary<string, EmbeddedSidecar> _sidecars = [];
    private readonly UnreliableNetwork? _network;
    private SidecarClient? _client;

    private PlatformUnderTest(string home, SidecarCluster cluster, UnreliableNetwork? network) => (_home, Cluster, _network) = (home, cluster, network);

    public SidecarCluster Cluster { get; }

    public IReadOnlyDictionary<string, AppProcess> Apps => _apps;

    public IObjectStorage Storage { get; private set; } = null!;

    /// <summary>Calls apps as a client with a sidecar of its own would.</summary>
    public DaprInvoker Invoker { get; private set; } = null!;

    public ActorProxyFactory Actors { get; private set; } = null!;

    public string Output => string.Concat(_apps.Values.Select(app => app.Output));

    /// <param name="settings">Environment of the programs.</param>
    /// <param name="network">Between the programs and their sidecars; null: nothing is between them.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<PlatformUnderTest> StartAsync(IReadOnlyDictionary<string, string> settings, UnreliableNetwork? network, CancellationToken cancellationToken)
    {
        var home = Directory.CreateTempSubdirectory("platform-").FullName;
        var folders = new HomeFolder(home);
        var resources = Path.Combine(home, "components");
        Directory.CreateDirectory(resources);
        await File.WriteAllTextAsync(Path.Combine(resources, "statestore.yaml"), StateStore, cancellationToken);
        var platform = new PlatformUnderTest(home, await SidecarCluster.OpenAsync(new SidecarClusterOptions { StateFolder = folders.Sidecar }, cancellationToken), network);
        try
        {
            platform.Storage = new DirectoryObjectStorage(folders.Objects);
            await platform.AddAsync(AppIds.Control, "functions/Platform.Control", resources, settings, cancellationToken);
            await platform.AddAsync("worker-0", "dataplane/Platform.Worker", resources, settings, cancellationToken);
            await platform.AddAsync("worker-1", "dataplane/Platform.Worker", resources, settings, cancellationToken);
            var driver = await platform.Cluster.StartAsync(new SidecarOptions { AppId = "driver", ResourcesPaths = [resources] }, cancellationToken);
            platform._client = new SidecarClient(new DaprOptions { HttpEndpoint = new Uri($"http://127.0.0.1:{driver.HttpPort}/") });
            platform.Invoker = new DaprInvoker(platform._client);
            platform.Actors = new ActorProxyFactory(platform._client);
            await platform.UntilReadyAsync(cancellationToken);
            await platform.PublishAsync(cancellationToken);
            return platform;
        }
        catch
        {
            await platform.DisposeAsync();
            throw;
        }
    }

    public ActorProxy Job(string id) => Actors.CreateActorProxy(AppIds.JobActor, id);

    public Task<SubmitAnswer> SubmitAsync(JobSpec spec, CancellationToken cancellationToken) =>
        Job(spec.Id!).InvokeMethodAsync("Submit", spec, JobsJson.Default.JobSpec, JobsJson.Default.SubmitAnswer, cancellationToken);

    public async Task<JobStatus?> GetAsync(string id, CancellationToken cancellationToken) =>
        await Job(id).InvokeMethodAsync<JobStatus?>("Get", JobsJson.Default.JobStatus!, cancellationToken);

    public async Task<JobStatus?> DispatchAsync(string id, CancellationToken cancellationToken) =>
        await Job(id).InvokeMethodAsync<JobStatus?>("Dispatch", JobsJson.Default.JobStatus!, cancellationToken);

    public Task<NodeTable> NodesAsync(CancellationToken cancellationToken) =>
        Invoker.InvokeMethodAsync(HttpMethod.Get, AppIds.Control, Routes.ControlNodes, JobsJson.Default.NodeTable, cancellationToken);

    /// <summary>Stops the sidecar of an app, and starts it again on the same port.</summary>
    public async Task RestartSidecarAsync(string appId, CancellationToken cancellationToken)
    {
        await _sidecars[appId].DisposeAsync();
        _sidecars[appId] = await Cluster.StartAsync(_sidecarOptions[appId], cancellationToken);
    }

    /// <summary>Waits for a state of affairs, looking every 20 ms; calls that fail meanwhile count as "not yet".</summary>
    public async Task UntilAsync(string what, TimeSpan limit, Func<Task<bool>> condition, CancellationToken cancellationToken)
    {
        var started = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                if (await condition())
                {
                    return;
                }
            }
            catch (DaprException)
            {
                // Somebody was killed; look again.
            }

            if (TimeProvider.System.GetElapsedTime(started) > limit)
            {
                throw new TimeoutException($"Not within {limit}: {what}.\n{Output}");
            }

            await Task.Delay(20, cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var app in _apps.Values)
        {
            app.Signal("CONT");
            app.Dispose();
        }

        _client?.Dispose();
        await Cluster.DisposeAsync();
        Directory.Delete(_home, true);
    }

    private async Task AddAsync(string appId, string project, string resources, IReadOnlyDictionary<string, string> settings, CancellationToken cancellationToken)
    {
        var port = LoopbackPort.AnyFree();
        _sidecarOptions[appId] = new SidecarOptions { AppId = appId, AppPort = port, HttpPort = LoopbackPort.AnyFree(), ResourcesPaths = [resources] };
        _sidecars[appId] = await Cluster.StartAsync(_sidecarOptions[appId], cancellationToken);
        var sidecarPort = _sidecars[appId].HttpPort;
        var environment = new Dictionary<string, string>(settings)
        {
            ["APP_ID"] = appId,
            ["APP_PORT"] = port.ToString(),
            ["DAPR_HTTP_PORT"] = (_network is null ? sidecarPort : await _network.ConnectAsync(sidecarPort)).ToString(),
            [HomeFolder.Variable] = _home,
            [Supervision.Variable] = "1",
        };
        var folder = Path.Combine(Repository, project);
        _apps[appId] = new AppProcess(appId, folder, Path.GetFileName(folder) + ".dll", environment);
        _apps[appId].Start();
    }

    private Task UntilReadyAsync(CancellationToken cancellationToken) => UntilAsync(
        "both workers send heartbeats and the actors of control answer",
        TimeSpan.FromSeconds(60),
        async () => (await NodesAsync(cancellationToken)).Nodes.Count(node => node.Alive) == 2 && await GetAsync("nobody", cancellationToken) is null,
        cancellationToken);

    private async Task PublishAsync(CancellationToken cancellationToken)
    {
        var model = RandomModel.Create(1);
        using var weights = new MemoryStream();
        await SafetensorsWriter.WriteAsync(weights, model.Tensors, null, cancellationToken);
        var files = new List<ModelFile>();
        foreach (var (name, bytes) in new[] { ("config.json", model.ConfigJson), ("tokenizer.json", model.TokenizerJson), ("model.safetensors", weights.ToArray()) })
        {
            files.Add(new ModelFile(name, bytes.Length, await Storage.PutAsync(ObjectKeys.ModelFile(Model, name), bytes, default, cancellationToken)));
        }

        await Actors.CreateActorProxy(AppIds.ModelActor, Model)
            .InvokeMethodAsync("Publish", new ModelManifest { Name = Model, Files = files }, JobsJson.Default.ModelManifest, JobsJson.Default.ModelManifest, cancellationToken);
    }

    private static string FindRepository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Platform.sln")))
        {
            folder = folder.Parent;
        }

        return folder.FullName;
    }

    private const string StateStore = """
        apiVersion: dapr.io/v1alpha1
        kind: Component
        metadata:
          name: statestore
        spec:
          type: state.redis
          version: v1
          metadata:
            - name: redisHost
              value: localhost:6379
            - name: actorStateStore
              value: "true"
        """;
}
