using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Platform.Dapr.Http;

namespace Platform.Dapr.Actors;

/// <summary>Makes an app an actor host.</summary>
public static class ActorServices
{
    /// <summary>Adds the actor runtime, and the sidecar's clients if <see cref="DaprServices.AddDapr"/> was not called.</summary>
    /// <exception cref="InvalidOperationException">An actor type cannot be hosted; the message says why.</exception>
    public static IServiceCollection AddActors(this IServiceCollection services, Action<ActorOptions> configure)
    {
        var options = new ActorOptions();
        configure(options);
        services.AddDapr();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(provider => new ActorRuntime(
            options,
            provider.GetRequiredService<SidecarClient>(),
            provider.GetRequiredService<ActorProxyFactory>(),
            provider,
            provider.GetRequiredService<ILoggerFactory>(),
            provider.GetRequiredService<TimeProvider>()));
        return services;
    }

    /// <summary>Maps what the sidecar calls: <c>/dapr/config</c>, <c>/actors/...</c> and <c>/healthz</c>.</summary>
    /// <exception cref="InvalidOperationException"><see cref="AddActors"/> was not called, or a method uses a type that the JSON context does not know.</exception>
    public static IEndpointRouteBuilder MapActorsHandlers(this IEndpointRouteBuilder endpoints)
    {
        var runtime = endpoints.ServiceProvider.GetRequiredService<ActorRuntime>();
        var token = endpoints.ServiceProvider.GetRequiredService<DaprOptions>().AppApiToken;
        var handlers = new ActorEndpoints(runtime, endpoints.ServiceProvider.GetRequiredService<ILogger<ActorRuntime>>());

        endpoints.MapGet("/healthz", static context =>
        {
            context.Response.StatusCode = StatusCodes.Status200OK;
            return Task.CompletedTask;
        });
        Guarded("/dapr/config", HttpMethods.Get, handlers.ConfigAsync);
        Guarded("/actors/{type}/{id}/method/{method}", HttpMethods.Put, handlers.InvokeAsync);
        Guarded("/actors/{type}/{id}/method/remind/{name}", HttpMethods.Put, handlers.RemindAsync);
        Guarded("/actors/{type}/{id}/method/timer/{name}", HttpMethods.Put, handlers.FireTimerAsync);
        Guarded("/actors/{type}/{id}", HttpMethods.Delete, handlers.DeactivateAsync);
        return endpoints;

        void Guarded(string pattern, string method, RequestDelegate handler) =>
            endpoints.MapMethods(pattern, [method], token is null ? handler : AppApiToken.Require(token, handler));
    }
}
