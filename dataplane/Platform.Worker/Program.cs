using Microsoft.Extensions.Options;
using Platform.Dapr;
using Platform.DataPlane;
using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.ObjectStorage;
using Platform.DataPlane.Weights;
using Platform.Jobs;
using Platform.Jobs.Telemetry;
using Platform.Worker;
using Platform.Worker.Http;
using Platform.Worker.Http.InferenceProtocol;
using Platform.Worker.Jobs;
using Platform.Worker.Jobs.Exec;
using Platform.Worker.Models;
using Platform.Worker.Nodes;
using Platform.Worker.Tier;
using Platform.Worker.Training;

if (args is ["train", ..])
{
    return await TrainCommand.RunAsync(args[1..]);
}

var name = Environment.GetEnvironmentVariable("APP_ID") ?? AppIds.WorkerPrefix + "0";
var builder = WebApplication.CreateSlimBuilder(args);
builder.WebHost.UseUrls($"http://127.0.0.1:{Environment.GetEnvironmentVariable("APP_PORT") ?? "6100"}");
builder.Logging.ClearProviders().AddSimpleConsole(console => (console.SingleLine, console.TimestampFormat) = (true, "HH:mm:ss.fff "));
builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(5));
builder.Services.AddOptions<WorkerOptions>().BindConfiguration(WorkerOptions.Section).ValidateDataAnnotations()
    .Validate(options => VisibleDevices.OfThisProcess.Has(options.Devices), VisibleDevices.OfThisProcess.Rule).ValidateOnStart();
builder.Services.AddOptions<Microsoft.AspNetCore.Server.Kestrel.Core.KestrelServerOptions>()
    .Configure<IOptions<WorkerOptions>>((kestrel, worker) => kestrel.Limits.MaxRequestBodySize = worker.Value.MaxBodyBytes);

// A request goes on where its bytes arrived, which is a thread of the pool: what it computes or waits for there holds up nobody.
builder.WebHost.UseSockets(sockets => (sockets.UnsafePreferInlineScheduling, sockets.WaitForDataBeforeAllocatingBuffer) = (true, false));
builder.Services.AddSingleton(ProgramClock.FromEnvironment());
builder.Services.AddDapr();

// Who this node is, and what it stores.
builder.Services.AddSingleton(services => new WorkerNode(name, services.GetRequiredService<IOptions<WorkerOptions>>()));
builder.Services.AddSingleton<NodeChanges>();
builder.Services.AddSingleton<WorkerMetrics>();
builder.Services.AddSingleton(new PrometheusPage(WorkerMetrics.MeterName, NvmeTier.MeterName));
builder.Services.AddSingleton<IObjectStorage>(services =>
    new CountingObjectStorage(ObjectStorageLocation.Open(services.GetRequiredService<WorkerNode>().ObjectStorage, services.GetRequiredService<TimeProvider>()), ObjectStorageCounters.Process));
builder.Services.AddSingleton<OpenTier>();
builder.Services.AddSingleton(services => services.GetRequiredService<OpenTier>().Tier);
builder.Services.AddSingleton<NodeTier>();
builder.Services.AddSingleton<ITierView>(services => services.GetRequiredService<NodeTier>());
builder.Services.AddSingleton<NodeDevices>();
builder.Services.AddSingleton(services => new HostImages(services.GetRequiredService<IOptions<WorkerOptions>>().Value.SleepLimitBytes, services.GetRequiredService<NodeDevices>().Processor.Accelerator.AllocatePinned));
builder.Services.AddSingleton(services => new ModelStager(services.GetRequiredService<NvmeTier>(), null, services.GetRequiredService<TimeProvider>(), services.GetRequiredService<HostImages>()));

// What it serves.
builder.Services.AddSingleton<IModelLoader>(services => services.GetRequiredService<IOptions<WorkerOptions>>().Value.External.Command.Count > 0
    ? ActivatorUtilities.CreateInstance<ExternalModelLoader>(services)
    : ActivatorUtilities.CreateInstance<LlamaModelLoader>(services));
builder.Services.AddSingleton<ResidentModels>();
builder.Services.AddSingleton<IModelManifests, ModelManifests>();
builder.Services.AddSingleton<InFlightCalls>();
builder.Services.AddSingleton<CompletionEndpoints>();
builder.Services.AddSingleton<InferenceEndpoints>();
builder.Services.AddSingleton<ILeaseReporter, ActorLeaseReporter>();
builder.Services.AddSingleton<IJobHandler, BatchInferHandler>();
builder.Services.AddSingleton<IJobHandler, ExecHandler>();
builder.Services.AddSingleton<IJobHandler, TrainHandler>();
builder.Services.AddSingleton<NodeResources>();
builder.Services.AddSingleton<JobPrefetch>();
builder.Services.AddSingleton<AttemptLogs>();
builder.Services.AddSingleton<AttemptRunner>();
builder.Services.AddSingleton<JobRuns>();
builder.Services.AddSingleton<JobLeftovers>();
builder.Services.AddSingleton<NodePicture>();

// Stopped in the opposite order: heartbeats say that the node drains, then jobs are let go.
builder.Services.AddHostedService<KeepLeftOverLogs>();
builder.Services.AddHostedService(services => services.GetRequiredService<JobRuns>());
builder.Services.AddHostedService<HeartbeatSender>();

var app = builder.Build();
app.UseMiddleware<ProblemMiddleware>();
CompletionEndpoints.Map(app);
InferenceEndpoints.Map(app);
ModelEndpoints.Map(app);
JobEndpoints.Map(app);
TierEndpoints.Map(app);
app.MapGet("/healthz", () => Results.Ok());
Supervision.StopWithSupervisor(app.Lifetime.StopApplication);
try
{
    await app.Services.GetRequiredService<OpenTier>().OpenAsync(app.Lifetime.ApplicationStopping);
    WorkerLog.Device(app.Logger, name, app.Services.GetRequiredService<NodeDevices>().Description);
    app.Services.GetRequiredService<WorkerMetrics>().Map(app, app.Services.GetRequiredService<PrometheusPage>());
    await app.RunAsync();
    return 0;
}
catch (OptionsValidationException fault)
{
    Console.Error.WriteLine($"{name} cannot start: {string.Join("; ", fault.Failures)}. Correct the settings in section '{WorkerOptions.Section}' (environment variables '{WorkerOptions.Section}__...').");
    return 2;
}
catch (Exception fault) when (fault is StorageException or AcceleratorException)
{
    Console.Error.WriteLine($"{name} cannot start: {fault.Message}");
    return 3;
}
catch (IOException fault) when (fault.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException)
{
    Console.Error.WriteLine($"{name} cannot start: {fault.Message}. Stop the program that has the port, or set APP_PORT to another one.");
    return 4;
}
