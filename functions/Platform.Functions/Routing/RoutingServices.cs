using Platform.Functions.Hosting;

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
        services.AddSingleton<IProblemMapper, SidecarProblems>();
        return services;
    }
}
