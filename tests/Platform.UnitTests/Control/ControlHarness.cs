using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Platform.Control;
using Platform.Control.Jobs;
using Platform.Control.Models;
using Platform.Control.Nodes;
using Platform.Dapr;
using Platform.Dapr.Actors;
using Platform.Dapr.Http;
using Platform.Jobs;

namespace Platform.UnitTests.Control;

/// <summary>The actors of control over a sidecar in memory; <see cref="Restart"/> is a kill -9 of the process.</summary>
internal sealed class ControlHarness : IWorkerGateway, IModelCatalog, IJobIndex
{
    private readonly ActorOptions _actors = new() { JsonContext = ControlJson.Default };
    private ActorRuntime? _runtime;

    public ControlHarness()
    {
        _actors.RegisterActor<JobActor>();
        _actors.RegisterActor<JobIndexActor>();
        _actors.RegisterActor<ModelActor>();
        _actors.RegisterActor<ModelIndexActor>();
        Restart();
    }

    public FakeTimeProvider Time { get; } = new();

    public InMemorySidecar Sidecar { get; } = new();

    public ControlOptions Options { get; } = new() { Settle = TimeSpan.Zero };

    public ControlMetrics Metrics { get; } = new();

    /// <summary>What turns have left to be done outside of them; a test runs it.</summary>
    public Errands Errands { get; } = new(NullLogger<Errands>.Instance);

    /// <summary>Where webhooks go.</summary>
    public FakeAddress WebhookAddress { get; } = new();

    /// <summary>What workers were asked to stage, oldest first.</summary>
    public List<(string Worker, PrefetchRequest Request)> Prefetches { get; } = [];

    /// <summary>Jobs whose objects a worker was told to delete.</summary>
    public List<string> Forgotten { get; } = [];

    public bool ForgetFails { get; set; }

    public NodeRegistry Nodes { get; private set; } = null!;

    public WaitingJobs Waiting { get; private set; } = null!;

    /// <summary>Leases that were offered, oldest first.</summary>
    public List<(string Worker, RunJobRequest Request)> Offers { get; } = [];

    /// <summary>Ended jobs that a worker was asked to clean up after, with the token of the result to keep.</summary>
    public List<(string Worker, string JobId, long? KeepToken)> Tidied { get; } = [];

    /// <summary>What workers answer; accepted by default.</summary>
    public Func<string, RunJobRequest, RunAnswer> AnswerOffer { get; set; } = (_, _) => new RunAnswer(true, "accepted");

    /// <summary>Rows as the index has them.</summary>
    public Dictionary<string, JobSummary> Index { get; } = [];

    public bool IndexFails { get; set; }

    public ModelManifest? Model { get; set; } = Manifest("tiny", 1000);

    public static ModelManifest Manifest(string name, long bytes) => new() { Name = name, Files = [new ModelFile("model.safetensors", bytes, "e")] };

    public static JobSpec Spec(int maxAttempts = 3) => new() { Kind = JobKinds.BatchInfer, Model = "tiny", Prompts = ["a", "b"], MaxAttempts = maxAttempts };

    public void Restart()
    {
        var options = Microsoft.Extensions.Options.Options.Create(Options);
        Nodes = new NodeRegistry(Time, options, NullLogger<NodeRegistry>.Instance);
        Waiting = new WaitingJobs();
        var client = new SidecarClient(new DaprOptions(), Sidecar);
        var proxies = new ActorProxyFactory(client);
        var services = new ServiceCollection()
            .AddSingleton<TimeProvider>(Time)
            .AddSingleton<IOptions<ControlOptions>>(options)
            .AddSingleton(Nodes)
            .AddSingleton(Waiting)
            .AddSingleton<IWorkerGateway>(this)
            .AddSingleton<IModelCatalog>(this)
            .AddSingleton<IJobIndex>(this)
            .AddSingleton(proxies)
            .AddSingleton(new DaprInvoker(client))
            .AddSingleton(Errands)
            .AddSingleton(new WebhookSender(WebhookAddress, Time, options))
            .AddSingleton(Metrics)
            .AddSingleton(typeof(ILogger<>), typeof(NullLogger<>))
            .BuildServiceProvider();
        _runtime = new ActorRuntime(_actors, client, proxies, services, NullLoggerFactory.Instance, Time);
    }

    /// <summary>A heartbeat of a node.</summary>
    public void Hear(string worker, int running = 0, string instance = "1", int maxJobs = 1, long capacity = 1 << 20, IReadOnlyDictionary<string, ModelResidency>? models = null, int inFlight = 0, IReadOnlyDictionary<string, long>? cached = null) =>
        Nodes.Hear(new NodeHeartbeat
        {
            Worker = worker,
            InstanceId = instance,
            ProcessId = 1,
            Device = "test",
            DeviceCapacityBytes = capacity,
            DeviceFreeBytes = capacity,
            Models = models ?? new Dictionary<string, ModelResidency>(),
            CachedBytes = cached ?? new Dictionary<string, long>(),
            InFlight = inFlight,
            RunningJobs = running,
            MaxJobs = maxJobs,
        });

    public Task<T> JobAsync<T>(string id, Func<IJobActor, Task<T>> call) => TurnAsync(nameof(JobActor), id, call);

    public Task<T> IndexAsync<T>(Func<IJobIndexActor, Task<T>> call) => TurnAsync(nameof(JobIndexActor), AppIds.IndexActorId, call);

    public Task<JobStatus?> GetAsync(string id) => JobAsync(id, job => job.Get());

    /// <summary>What the sidecar does when a reminder is due; one that is not registered does not fire.</summary>
    public async Task FireReminderAsync(string id)
    {
        if (Sidecar.Reminders.ContainsKey($"{nameof(JobActor)}/{id}/lease"))
        {
            await _runtime!.RunTurnAsync(_actors.Types[nameof(JobActor)], id, async actor =>
            {
                await ((IRemindable)actor).ReceiveReminderAsync("lease", [], TimeSpan.Zero, TimeSpan.Zero);
                return null;
            });
        }
    }

    /// <summary>A report of the worker that was offered a lease last.</summary>
    public LeaseReport LastReport(JobResult? result = null, JobFailure? failure = null, JobProgress? progress = null) => new()
    {
        Token = Offers[^1].Request.Token,
        Worker = Offers[^1].Worker,
        Result = result,
        Failure = failure,
        Progress = progress,
    };

    public async Task<T> TurnAsync<TActor, T>(string type, string id, Func<TActor, Task<T>> call)
    {
        T result = default!;
        await _runtime!.RunTurnAsync(_actors.Types[type], id, async actor =>
        {
            result = await call((TActor)(object)actor);
            return null;
        });
        return result;
    }

    Task<RunAnswer> IWorkerGateway.OfferAsync(string worker, RunJobRequest request, CancellationToken cancellationToken)
    {
        Offers.Add((worker, request));
        return Task.FromResult(AnswerOffer(worker, request));
    }

    Task<TidyAnswer?> IWorkerGateway.TidyAsync(string worker, string jobId, long? keepToken, CancellationToken cancellationToken)
    {
        Tidied.Add((worker, jobId, keepToken));
        return Task.FromResult<TidyAnswer?>(new TidyAnswer(2, 30));
    }

    Task<ModelManifest?> IModelCatalog.FindAsync(string model, CancellationToken cancellationToken) => Task.FromResult(Model);

    Task<MissingObjects?> IWorkerGateway.PrefetchAsync(string worker, PrefetchRequest request, CancellationToken cancellationToken)
    {
        Prefetches.Add((worker, request));
        return Task.FromResult<MissingObjects?>(new MissingObjects([], "test"));
    }

    Task<bool> IWorkerGateway.ForgetAsync(string worker, string jobId, CancellationToken cancellationToken)
    {
        Forgotten.Add(jobId);
        return Task.FromResult(!ForgetFails);
    }

    Task IJobIndex.RemoveAsync(JobSummary summary, CancellationToken cancellationToken)
    {
        Index.Remove(summary.Id);
        return Task.CompletedTask;
    }

    Task IJobIndex.RecordLaterAsync(JobSummary summary, CancellationToken cancellationToken) => ((IJobIndex)this).RecordAsync(summary, cancellationToken);

    Task IJobIndex.RecordAsync(JobSummary summary, CancellationToken cancellationToken)
    {
        if (IndexFails)
        {
            throw new DaprActorException("the index is away");
        }

        Index[summary.Id] = summary;
        return Task.CompletedTask;
    }
}
