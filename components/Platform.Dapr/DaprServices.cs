using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Platform.Dapr.Actors;
using Platform.Dapr.Http;

namespace Platform.Dapr;

/// <summary>Registers the clients of the sidecar.</summary>
public static class DaprServices
{
    /// <summary>Adds <see cref="DaprInvoker"/>, <see cref="DaprStateClient"/>, <see cref="DaprPublisher"/>, <see cref="DaprBulkPublisher"/>, <see cref="DaprSidecar"/> and <see cref="ActorProxyFactory"/>, all singletons over one connection pool.</summary>
    /// <param name="services">Where to add.</param>
    /// <param name="configure">Changes what the environment said; null keeps it.</param>
    public static IServiceCollection AddDapr(this IServiceCollection services, Action<DaprOptions>? configure = null)
    {
        services.TryAddSingleton(_ =>
        {
            var options = DaprOptions.FromEnvironment();
            configure?.Invoke(options);
            return options;
        });
        services.TryAddSingleton(provider => new SidecarClient(provider.GetRequiredService<DaprOptions>()));
        services.TryAddSingleton(provider => new DaprInvoker(provider.GetRequiredService<SidecarClient>()));
        services.TryAddSingleton(provider => new DaprStateClient(provider.GetRequiredService<SidecarClient>()));
        services.TryAddSingleton(provider => new DaprPublisher(provider.GetRequiredService<SidecarClient>()));
        services.TryAddSingleton(provider => new DaprBulkPublisher(provider.GetRequiredService<SidecarClient>()));
        services.TryAddSingleton(provider => new DaprSidecar(provider.GetRequiredService<SidecarClient>()));
        services.TryAddSingleton(provider => new ActorProxyFactory(provider.GetRequiredService<SidecarClient>()));
        return services;
    }
}
