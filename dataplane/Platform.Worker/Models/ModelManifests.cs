using System.Text.Json;
using Platform.Dapr.Actors;
using Platform.Jobs;
using Platform.Worker.Http;

namespace Platform.Worker.Models;

/// <summary>Finds manifests; asks control only for a model that neither the call nor the node knows.</summary>
internal sealed class ModelManifests(ResidentModels models, ActorProxyFactory actors) : IModelManifests
{
    public async Task<ModelManifest> FindAsync(HttpContext context, string model, CancellationToken cancellationToken)
    {
        var manifest = context.Request.Headers[Routes.ManifestHeader] is [{ Length: > 0 } header] ? Parse(header, model) : models.ManifestOf(model);
        manifest ??= await actors.CreateActorProxy(AppIds.ModelActor, model).InvokeMethodAsync<ModelManifest?>("Get", JobsJson.Default.ModelManifest!, cancellationToken);
        return manifest ?? throw new RequestException(ErrorCodes.ModelNotFound, $"Model '{model}' is not published. Publish it with 'platform models push', or see 'platform models ls' for those that are.");
    }

    private static ModelManifest Parse(string header, string model)
    {
        try
        {
            var manifest = JsonSerializer.Deserialize(Convert.FromBase64String(header), JobsJson.Default.ModelManifest);
            return manifest?.Name == model
                ? manifest
                : throw new RequestException(ErrorCodes.InvalidRequest, $"Header {Routes.ManifestHeader} is for model '{manifest?.Name}', the body asks for '{model}'.");
        }
        catch (Exception fault) when (fault is FormatException or JsonException)
        {
            throw new RequestException(ErrorCodes.InvalidRequest, $"Header {Routes.ManifestHeader} is not a manifest as base64 JSON: {fault.Message}");
        }
    }
}
