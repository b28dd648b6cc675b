using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Platform.Dapr.Http;

namespace Platform.Dapr.Actors;

/// <summary>Makes proxies of actors, wherever they are. Thread-safe.</summary>
public sealed class ActorProxyFactory
{
    private static readonly JsonSerializerOptions PlainJson = ActorJson.Of(null);
    private readonly ConditionalWeakTable<JsonSerializerContext, JsonSerializerOptions> _json = [];
    private readonly ActorApi _api;

    internal ActorProxyFactory(SidecarClient sidecar) => _api = new ActorApi(sidecar);

    /// <summary>For code outside dependency injection: one connection pool for the whole process.</summary>
    internal static Lazy<ActorProxyFactory> OfEnvironment { get; } = new(() => new ActorProxyFactory(new SidecarClient(DaprOptions.FromEnvironment())));

    /// <summary>A proxy of one actor. Nothing is sent; the actor comes to life with its first call.</summary>
    public ActorProxy CreateActorProxy(string actorType, string actorId)
    {
        ArgumentException.ThrowIfNullOrEmpty(actorType);
        ArgumentException.ThrowIfNullOrEmpty(actorId);
        return new ActorProxy(_api, actorType, actorId);
    }

    /// <summary>A proxy with the actor's own interface: its methods are the actor's. Failures are those of <see cref="ActorProxy"/>.</summary>
    /// <typeparam name="TActor">The interface; not the class.</typeparam>
    /// <param name="actorId">Id of the actor.</param>
    /// <param name="actorType">Its type, as the host registered it.</param>
    /// <param name="json">How arguments and results are written; needed as soon as one of them is no plain string, number, bool or byte array.</param>
    /// <exception cref="InvalidOperationException">A method cannot be an actor's, or uses a type that <paramref name="json"/> does not know.</exception>
    public TActor CreateActorProxy<TActor>(ActorId actorId, string actorType, JsonSerializerContext? json = null)
        where TActor : class, IActor =>
        ActorInterfaceProxy.Create<TActor>(CreateActorProxy(actorType, actorId.Value), json is null ? PlainJson : _json.GetValue(json, ActorJson.Of));
}
