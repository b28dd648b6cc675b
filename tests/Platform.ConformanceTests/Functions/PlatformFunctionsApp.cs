using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Platform.Jobs;
using Platform.Local.FunctionsHost;

namespace Platform.ConformanceTests.Functions;

/// <summary>The platform's own functions, as the build emits them, behind the embedded host, with a sidecar that the test answers for.</summary>
public abstract class PlatformFunctionsApp : IAsyncLifetime
{
    internal const string Lost = """{"errorCode":"ERR_DIRECT_INVOKE","message":"connection refused"}""";
    private static readonly string AppRoot = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "../../../functions/Platform.Functions/bin"));
    private readonly string _state = Directory.CreateTempSubdirectory("functions-state-").FullName;

    internal FakeSidecar Sidecar { get; private set; } = null!;

    internal EmbeddedFunctionsHost? Host { get; private set; }

    internal HttpClient Client { get; private set; } = null!;

    private protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => Sidecar = await FakeSidecar.StartAsync();

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        Client?.Dispose();
        if (Host is not null)
        {
            await Host.DisposeAsync();
        }

        await Sidecar.DisposeAsync();
        Directory.Delete(_state, recursive: true);
    }

    private protected static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");

    private protected void Published() => Sidecar.On("actors/ModelActor/m/method/Get", """{"name":"m","files":[]}""");

    private protected static string ReplicaJson(string worker) => $$"""{"worker":"{{worker}}","manifest":{"name":"m","files":[]},"reason":"chosen"}""";

    private protected void Replica(string worker) => Sidecar.On("actors/ModelActor/m/method/EnsureReplica", ReplicaJson(worker));

    private protected void Nodes(params (string Worker, string Residency)[] nodes) => Sidecar.On("invoke/control/method/nodes", $$"""
        {"nodes":[{{string.Join(',', nodes.Select(node => $$$"""{"heartbeat":{"worker":"{{{node.Worker}}}","instanceId":"i","processId":1,"device":"d","deviceCapacityBytes":1,"deviceFreeBytes":1,"models":{"m":"{{{node.Residency}}}"},"readyInSeconds":{{{(node.Residency == "Loading" ? """{"m":12.2}""" : "{}")}}},"cachedBytes":{},"inFlight":0,"runningJobs":0,"maxJobs":1},"seenAt":"2026-01-01T00:00:00Z","alive":true}"""))}}]}
        """);

    private protected async Task StartAsync(params (string Name, string Value)[] settings)
    {
        var environment = new Dictionary<string, string>
        {
            ["DAPR_HTTP_PORT"] = Sidecar.Port.ToString(),
            ["APP_ID"] = AppIds.Functions,
            ["Router__ControlPatience"] = "00:00:03",
            ["Router__WorkerPatience"] = "00:00:03",
        };
        foreach (var (name, value) in settings)
        {
            environment[name] = value;
        }

        Host = await EmbeddedFunctionsHost.StartAsync(new FunctionsHostOptions { AppRoot = AppRoot, StateFolder = _state, Port = 0, Environment = environment, DrainTimeout = TimeSpan.FromSeconds(3) }, NullLoggerFactory.Instance, Cancel);
        Client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{Host.Port}/") };
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
