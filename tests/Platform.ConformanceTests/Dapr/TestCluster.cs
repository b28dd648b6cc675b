using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Platform.Dapr;
using Platform.Local;
using Platform.Local.Sidecar;

namespace Platform.ConformanceTests.Dapr;

/// <summary>Sidecars of one process over a folder of their own, and real Kestrel apps behind them.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    public const string Components = """
        apiVersion: dapr.io/v1alpha1
        kind: Component
        metadata: { name: statestore }
        spec:
          type: state.redis
          version: v1
          metadata:
          - { name: redisHost, value: "localhost:6379" }
          - { name: actorStateStore, value: "true" }
        ---
        apiVersion: dapr.io/v1alpha1
        kind: Component
        metadata: { name: pubsub }
        spec:
          type: pubsub.redis
          version: v1
          metadata:
          - { name: redisHost, value: "localhost:6379" }
        """;

    private readonly List<IAsyncDisposable> _owned = [];
    private readonly string _folder;
    private readonly bool _keepFolder;

    private TestCluster(string folder, SidecarCluster cluster, bool keepFolder)
    {
        _folder = folder;
        _keepFolder = keepFolder;
        Cluster = cluster;
    }

    public SidecarCluster Cluster { get; }

    public string StateFolder => Path.Combine(_folder, "state");

    public string ResourcesFolder => Path.Combine(_folder, "components");

    public static async Task<TestCluster> OpenAsync(string components = Components, string? folder = null, TimeProvider? time = null)
    {
        var root = folder ?? Directory.CreateTempSubdirectory("sidecar-").FullName;
        Directory.CreateDirectory(Path.Combine(root, "components"));
        await File.WriteAllTextAsync(Path.Combine(root, "components", "all.yaml"), components);
        var cluster = await SidecarCluster.OpenAsync(new SidecarClusterOptions { StateFolder = Path.Combine(root, "state"), Time = time ?? TimeProvider.System }, TestContext.Current.CancellationToken);
        return new TestCluster(root, cluster, folder is not null);
    }

    /// <summary>Starts an app and its sidecar, and waits until the sidecar has loaded the app's callbacks.</summary>
    public async Task<TestApp> StartAsync(string appId, Action<WebApplication>? map = null, Action<IServiceCollection>? services = null, Func<SidecarOptions, SidecarOptions>? change = null)
    {
        var port = LoopbackPort.AnyFree();
        var sidecar = await StartSidecarAsync(appId, port, change);
        var app = new TestApp(sidecar, port, map, services);
        _owned.Add(app);
        await app.StartAsync();
        await app.UntilReadyAsync();
        return app;
    }

    public async Task<EmbeddedSidecar> StartSidecarAsync(string appId, int? appPort = null, Func<SidecarOptions, SidecarOptions>? change = null)
    {
        var options = new SidecarOptions { AppId = appId, AppPort = appPort, ResourcesPaths = [ResourcesFolder] };
        return await Cluster.StartAsync(change?.Invoke(options) ?? options, TestContext.Current.CancellationToken);
    }

    /// <summary>A client of a sidecar that has no app.</summary>
    public async Task<HttpClient> StartCallerAsync(string appId = "caller", Func<SidecarOptions, SidecarOptions>? change = null) => ClientOf(await StartSidecarAsync(appId, change: change));

    public static HttpClient ClientOf(EmbeddedSidecar sidecar) => new(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false })
    {
        BaseAddress = new Uri($"http://127.0.0.1:{sidecar.HttpPort}/"),
        Timeout = TimeSpan.FromSeconds(30),
    };

    public async ValueTask DisposeAsync()
    {
        await Cluster.DisposeAsync();
        foreach (var owned in _owned)
        {
            await owned.DisposeAsync();
        }

        if (!_keepFolder)
        {
            Directory.Delete(_folder, recursive: true);
        }
    }
}

/// <summary>An app that can be stopped and started again on its port.</summary>
internal sealed class TestApp(EmbeddedSidecar sidecar, int port, Action<WebApplication>? map, Action<IServiceCollection>? services) : IAsyncDisposable
{
    private WebApplication? _app;

    public EmbeddedSidecar Sidecar => sidecar;

    public int Port => port;

    public HttpClient Client { get; } = TestCluster.ClientOf(sidecar);

    public IServiceProvider Services => _app!.Services;

    public async Task StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        builder.Services.AddDapr(options =>
        {
            options.HttpEndpoint = new Uri($"http://127.0.0.1:{sidecar.HttpPort}/");
            options.AppApiToken = sidecar.Options.AppApiToken;
            options.ApiToken = sidecar.Options.ApiToken;
        });
        services?.Invoke(builder.Services);
        _app = builder.Build();
        map?.Invoke(_app);
        await _app.StartAsync(TestContext.Current.CancellationToken);
    }

    public async Task UntilReadyAsync()
    {
        while (!sidecar.IsReady)
        {
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }
    }

    public async Task UntilAwayAsync()
    {
        while (sidecar.IsReady)
        {
            await Task.Delay(10, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Takes the app down; its port refuses from then on.</summary>
    public async Task StopAsync()
    {
        if (_app is { } app)
        {
            _app = null;
            using var now = new CancellationTokenSource(0);
            await app.StopAsync(now.Token);
            await app.DisposeAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Client.Dispose();
    }
}
