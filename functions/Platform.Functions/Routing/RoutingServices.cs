using Platform.Functions.Hosting;
using Platform.Functions.Sweeping;
using Platform.Jobs.Telemetry;

namespace Platform.Functions.Routing;

/// <summary>Registers what the functions share.</summary>
internal static class RoutingServices
{
    public static IServiceCollection AddRouter(this IServiceCollection services, IConfiguration configuration)
    {
        services.Configure<RouterOptions>(configuration.GetSection("Router"));
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(Random.Shared);
        services.AddSingleton<ControlClient>();
        services.AddSingleton<NodeTableCache>();
        services.AddSingleton<CallsByWorker>();
        services.AddSingleton<PowerOfTwoChoicesPolicy>();
        services.AddSingleton<RecentReplicas>();
        services.AddSingleton<HeldCalls>();
        services.AddSingleton<CompletionRouter>();
        services.AddSingleton<InferenceRouter>();
        services.AddSingleton<InferenceModels>();
        services.AddSingleton<NodeProxy>();
        services.AddSingleton<Http.JobLogReader>();
        services.AddSingleton<JobSweep>();
        services.AddSingleton<ModelSweeper>();
        services.AddSingleton<SweepMetrics>();
        services.AddSingleton(new PrometheusPage(SweepMetrics.MeterName));
        services.AddSingleton<IProblemMapper, SidecarProblems>();
        return services;
    }
}
