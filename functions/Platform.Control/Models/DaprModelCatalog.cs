using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Models;

/// <summary>Asks the model's actor.</summary>
internal sealed class DaprModelCatalog(ActorProxyFactory actors, TimeProvider time) : IModelCatalog
{
    /// <summary>Longer than <c>EnsureReplica</c> may hold the model's turn.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(15);

    public async Task<ModelManifest?> FindAsync(string model, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        return await actors.CreateActorProxy(AppIds.ModelActor, model)
            .InvokeMethodAsync<ModelManifest?>(nameof(IModelActor.Get), ControlJson.Default.ModelManifest!, either.Token);
    }
}
