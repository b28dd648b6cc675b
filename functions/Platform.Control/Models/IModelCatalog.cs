using Platform.Jobs;

namespace Platform.Control.Models;

/// <summary>Finds published models by name.</summary>
internal interface IModelCatalog
{
    /// <summary>The manifest; null if no such model is published.</summary>
    Task<ModelManifest?> FindAsync(string model, CancellationToken cancellationToken);
}
