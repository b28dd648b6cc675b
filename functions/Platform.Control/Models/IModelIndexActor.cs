using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Models;

/// <summary>Methods of the actor that lists models, by their names on the wire.</summary>
internal interface IModelIndexActor : IActor
{
    /// <summary>Adds or replaces a model.</summary>
    Task Record(ModelManifest manifest);

    /// <summary>Takes a model out, by name; nothing happens if it is not there.</summary>
    Task Remove(string model);

    /// <summary>Every published model with its residency per node, by name.</summary>
    Task<List<ModelStatus>> List();
}
