using Microsoft.Extensions.Options;
using Platform.Control;
using Platform.Control.Jobs;
using Platform.Control.Models;
using Platform.Control.Nodes;
using Platform.Dapr;
using Platform.Dapr.Actors;
using Platform.Jobs;
using Platform.Jobs.Telemetry;

var builder = WebApplication.CreateSlimBuilder(args);
builder.WebHost.UseUrls($"http://127.0.0.1:{Environment.GetEnvironmentVariable("APP_PORT") ?? "6001"}");
builder.Logging.ClearProviders().AddSimpleConsole(console => (console.SingleLine, console.TimestampFormat) = (true, "HH:mm:ss.fff "));
builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(5));
builder.Services.AddOptions<ControlOptions>().BindConfiguration(ControlOptions.Section).ValidateDataAnnotations().ValidateOnStart();
builder.Services.AddSingleton(ProgramClock.FromEnvironment());
builder.Services.AddDapr();
builder.Services.AddActors(actors =>
{
    actors.JsonContext = ControlJson.Default;
    // A job that waits does nothing for hours: it leaves memory, whatever their number. A job that runs is heard of every second.
    actors.ActorIdleTimeout = TimeSpan.FromMinutes(1);
    actors.RegisterActor<JobActor>(AppIds.JobActor);
    actors.RegisterActor<JobIndexActor>(AppIds.JobIndexActor);
    actors.RegisterActor<ModelActor>(AppIds.ModelActor);
    actors.RegisterActor<ModelIndexActor>(AppIds.ModelIndexActor);
});
builder.Services.AddSingleton<ControlMetrics>();
builder.Services.AddSingleton(new PrometheusPage(ControlMetrics.MeterName));
builder.Services.AddSingleton<NodeRegistry>();
builder.Services.AddSingleton<WaitingJobs>();
builder.Services.AddSingleton<IWorkerGateway, DaprWorkerGateway>();
builder.Services.AddSingleton<IJobIndex, DaprJobIndex>();
builder.Services.AddSingleton<IModelCatalog, DaprModelCatalog>();
builder.Services.AddSingleton<Errands>();
builder.Services.AddSingleton(services => new WebhookSender(
    new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false },
    services.GetRequiredService<TimeProvider>(),
    services.GetRequiredService<IOptions<ControlOptions>>()));
builder.Services.AddHostedService<DispatchService>();
builder.Services.AddHostedService(services => services.GetRequiredService<Errands>());

var app = builder.Build();
app.MapActorsHandlers();
app.MapNodes();
app.Services.GetRequiredService<ControlMetrics>().Map(app);
Supervision.StopWithSupervisor(app.Lifetime.StopApplication);
try
{
    await app.RunAsync();
    return 0;
}
catch (OptionsValidationException fault)
{
    Console.Error.WriteLine($"control cannot start: {string.Join("; ", fault.Failures)}. Correct the settings in section '{ControlOptions.Section}' (environment variables '{ControlOptions.Section}__...').");
    return 2;
}
catch (IOException fault) when (fault.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException)
{
    Console.Error.WriteLine($"control cannot start: {fault.Message}. Stop the program that has the port, or set APP_PORT to another one.");
    return 4;
}
