using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Models;

/// <summary>Methods of the actor of one model, by their names on the wire.</summary>
internal interface IModelActor : IActor
{
    /// <summary>Makes the manifest durable, in place of an earlier one.</summary>
    Task<ModelManifest> Publish(ModelManifest manifest);

    /// <summary>The manifest; null if the model is not published.</summary>
    Task<ModelManifest?> Get();

    /// <summary>Forgets the model and has the nodes drop it. Returns what was forgotten; null if there was nothing.</summary>
    Task<ModelManifest?> Remove();

    /// <summary>Names the worker that serves the model. Callers that come together get the same worker, so that a cold model is loaded once.</summary>
    Task<ReplicaAnswer> EnsureReplica(EnsureReplicaRequest request);

    /// <summary>Has nodes take replicas out of memory that nobody has called for long, or, if the model is not published, drop what they have of it.</summary>
    Task<ModelSweep> Sweep();
}
