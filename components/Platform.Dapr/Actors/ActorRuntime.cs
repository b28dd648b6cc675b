using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Platform.Dapr.Http;

namespace Platform.Dapr.Actors;

/// <summary>The actors that are alive in this process: makes them on first use, runs turns, forgets them when the sidecar says so.</summary>
/// <remarks>The sidecar orders the turns of one actor; the runtime relies on it.</remarks>
internal sealed class ActorRuntime
{
    private readonly ConcurrentDictionary<(string Type, string Id), Lazy<Task<ActiveActor>>> _active = new();
    private readonly IServiceProvider _services;
    private readonly ActorApi _api;
    private readonly ActorSchedules _schedules;
    private readonly ActorProxyFactory _proxies;
    private readonly ILoggerFactory _loggers;
    private readonly TimeProvider _time;

    public ActorRuntime(ActorOptions options, SidecarClient sidecar, ActorProxyFactory proxies, IServiceProvider services, ILoggerFactory loggers, TimeProvider time)
    {
        Options = options;
        Json = options.CreateJson();
        _services = services;
        _api = new ActorApi(sidecar);
        _schedules = new ActorSchedules(_api);
        _proxies = proxies;
        _loggers = loggers;
        _time = time;
        foreach (var type in options.Types.Values)
        {
            type.RequireJson(Json);
        }
    }

    public ActorOptions Options { get; }

    public JsonSerializerOptions Json { get; }

    /// <summary>Runs one turn: makes the actor if it is not there, runs, saves its state. When anything throws, the turn's changes are dropped.</summary>
    public async Task<byte[]?> RunTurnAsync(ActorTypeInformation type, string id, Func<Actor, Task<byte[]?>> turn)
    {
        var actor = (await GetAsync(type, id)).Actor;
        using var open = actor.Host.StateManager.BeginTurn();
        try
        {
            var result = await turn(actor);
            await actor.StateManager.SaveStateAsync();
            return result;
        }
        catch
        {
            await actor.StateManager.ClearCacheAsync();
            throw;
        }
    }

    /// <summary>Forgets an actor; nothing happens if it is not there.</summary>
    public async Task DeactivateAsync(string type, string id)
    {
        if (_active.TryRemove((type, id), out var entry))
        {
            await using var active = await entry.Value;
            await active.Actor.DeactivateAsync();
        }
    }

    private async Task<ActiveActor> GetAsync(ActorTypeInformation type, string id)
    {
        var key = (type.Name, id);
        var entry = _active.GetOrAdd(key, _ => new Lazy<Task<ActiveActor>>(() => ActivateAsync(type, id)));
        try
        {
            return await entry.Value;
        }
        catch
        {
            _active.TryRemove(KeyValuePair.Create(key, entry));
            throw;
        }
    }

    private async Task<ActiveActor> ActivateAsync(ActorTypeInformation type, string id)
    {
        var scope = _services.CreateAsyncScope();
        try
        {
            var state = new ActorStateManager(_api, Json, type.Name, id);
            var host = new ActorHost(type, new ActorId(id), state, _schedules, _proxies, _loggers, _time);
            var actor = (Actor)ActivatorUtilities.CreateInstance(scope.ServiceProvider, type.Implementation, host);
            await actor.ActivateAsync();
            return new ActiveActor(actor, scope);
        }
        catch
        {
            await scope.DisposeAsync();
            throw;
        }
    }

    private sealed class ActiveActor(Actor actor, AsyncServiceScope scope) : IAsyncDisposable
    {
        public Actor Actor => actor;

        public async ValueTask DisposeAsync()
        {
            switch (actor)
            {
                case IAsyncDisposable asynchronous:
                    await asynchronous.DisposeAsync();
                    break;
                case IDisposable synchronous:
                    synchronous.Dispose();
                    break;
            }

            await scope.DisposeAsync();
        }
    }
}
