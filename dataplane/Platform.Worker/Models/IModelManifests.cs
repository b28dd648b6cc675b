using Platform.Jobs;

namespace Platform.Worker.Models;

/// <summary>Finds the manifest of the model that a call names.</summary>
internal interface IModelManifests
{
    /// <summary>From the call's header, from memory, or from control, in this order.</summary>
    /// <exception cref="Http.RequestException">The model is not published, or the header is no manifest.</exception>
    Task<ModelManifest> FindAsync(HttpContext context, string model, CancellationToken cancellationToken);
}
