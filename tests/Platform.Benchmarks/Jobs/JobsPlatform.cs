using System.Diagnostics;
using System.Globalization;
using Platform.Dapr;
using Platform.Dapr.Actors;
using Platform.Dapr.Http;
using Platform.Jobs;
using Platform.Local;
using Platform.Local.Sidecar;

namespace Platform.Benchmarks.Jobs;

/// <summary>Control and, once started, a worker as processes under embedded sidecars, with a client that has a sidecar of its own. The sidecars run in this process.</summary>
internal sealed class JobsPlatform(string folder, SidecarCluster cluster) : IAsyncDisposable
{
    private const string Resources = """
        apiVersion: dapr.io/v1alpha1
        kind: Component
        metadata: { name: statestore }
        spec: { type: state.redis, version: v1, metadata: [{ name: redisHost, value: "localhost:6379" }, { name: actorStateStore, value: "true" }] }
        """;

    private readonly List<Process> _processes = [];
    private SidecarClient? _client;
    private ActorProxyFactory _actors = null!;

    /// <summary>The control process.</summary>
    public Process Control => _processes[0];

    /// <summary>Bytes of the sidecars' state on disk.</summary>
    public long StateBytes => new DirectoryInfo(StateFolder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length);

    private string StateFolder => Path.Combine(folder, "sidecar");

    public static async Task<JobsPlatform> StartAsync(string folder)
    {
        await File.WriteAllTextAsync(Path.Combine(Directory.CreateDirectory(Path.Combine(folder, "components")).FullName, "all.yaml"), Resources);
        var platform = new JobsPlatform(folder, await SidecarCluster.OpenAsync(new SidecarClusterOptions { StateFolder = Path.Combine(folder, "sidecar") }, CancellationToken.None));
        await platform.AddAsync(AppIds.Control, "functions/Platform.Control");
        var driver = await platform.StartSidecarAsync("driver", null);
        platform._client = new SidecarClient(new DaprOptions { HttpEndpoint = new Uri($"http://127.0.0.1:{driver.HttpPort}/") });
        platform._actors = new ActorProxyFactory(platform._client);
        await UntilAsync(async () => await platform.GetAsync("nobody") is null);
        return platform;
    }

    public Task StartWorkerAsync() => AddAsync("worker-0", "dataplane/Platform.Worker");

    public Task<SubmitAnswer> SubmitAsync(string id, int priority = 0) => Job(id).InvokeMethodAsync(
        "Submit", new JobSpec { Id = id, Kind = JobKinds.Exec, Command = ["true"], Priority = priority }, JobsJson.Default.JobSpec, JobsJson.Default.SubmitAnswer, CancellationToken.None);

    public async Task<JobStatus?> GetAsync(string id) => await Job(id).InvokeMethodAsync<JobStatus?>("Get", JobsJson.Default.JobStatus!, CancellationToken.None);

    public async Task<JobStatus?> DispatchAsync(string id) => await Job(id).InvokeMethodAsync<JobStatus?>("Dispatch", JobsJson.Default.JobStatus!, CancellationToken.None);

    public Task<JobList> ListAsync(JobState? state = null) => _actors.CreateActorProxy(AppIds.JobIndexActor, AppIds.IndexActorId)
        .InvokeMethodAsync("List", new JobListRequest(null, 50, state), JobsJson.Default.JobListRequest, JobsJson.Default.JobList, CancellationToken.None);

    /// <summary>Waits for a state of affairs; calls that fail meanwhile count as "not yet".</summary>
    public static async Task UntilAsync(Func<Task<bool>> isSo)
    {
        while (true)
        {
            try
            {
                if (await isSo())
                {
                    return;
                }
            }
            catch (DaprException)
            {
                // On its way up.
            }

            await Task.Delay(5);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }

        _client?.Dispose();
        await cluster.DisposeAsync();
    }

    private ActorProxy Job(string id) => _actors.CreateActorProxy(AppIds.JobActor, id);

    private Task<EmbeddedSidecar> StartSidecarAsync(string appId, int? appPort) =>
        cluster.StartAsync(new SidecarOptions { AppId = appId, AppPort = appPort, ResourcesPaths = [Path.Combine(folder, "components")], LogLevel = Microsoft.Extensions.Logging.LogLevel.Warning }, CancellationToken.None);

    private async Task AddAsync(string appId, string project)
    {
        var port = LoopbackPort.AnyFree();
        var sidecar = await StartSidecarAsync(appId, port);
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root!.FullName, "Platform.sln")))
        {
            root = root.Parent;
        }

        var start = new ProcessStartInfo("dotnet", [Path.Combine(root.FullName, project, "bin", Path.GetFileName(project) + ".dll")])
        {
            WorkingDirectory = Path.Combine(root.FullName, project),
            UseShellExecute = false,
            RedirectStandardInput = true,
        };
        foreach (var (name, value) in new[]
        {
            ("APP_ID", appId), ("APP_PORT", port.ToString(CultureInfo.InvariantCulture)), ("DAPR_HTTP_PORT", sidecar.HttpPort.ToString(CultureInfo.InvariantCulture)), (HomeFolder.Variable, Path.Combine(folder, "home")),
            (Supervision.Variable, "1"), ("Worker__ExecEnabled", "true"), ("Logging__LogLevel__Default", "Warning"),
        })
        {
            start.Environment[name] = value;
        }

        _processes.Add(Process.Start(start)!);
    }
}
