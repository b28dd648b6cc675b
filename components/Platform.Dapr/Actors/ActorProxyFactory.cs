using Platform.Dapr.Http;

namespace Platform.Dapr.Actors;

/// <summary>Makes proxies of actors, wherever they are. Thread-safe.</summary>
public sealed class ActorProxyFactory
{
    private readonly ActorApi _api;

    internal ActorProxyFactory(SidecarClient sidecar) => _api = new ActorApi(sidecar);

    /// <summary>A proxy of one actor. Nothing is sent; the actor comes to life with its first call.</summary>
    public ActorProxy CreateActorProxy(string actorType, string actorId)
    {
        ArgumentException.ThrowIfNullOrEmpty(actorType);
        ArgumentException.ThrowIfNullOrEmpty(actorId);
        return new ActorProxy(_api, actorType, actorId);
    }
}
