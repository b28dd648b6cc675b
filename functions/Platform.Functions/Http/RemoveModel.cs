using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>DELETE /api/models/{model}</c>: forgets a model; its files in object storage stay.</summary>
internal sealed class RemoveModelFunction(ControlClient control)
{
    [Function("RemoveModel")]
    public async Task<IResult> Run(
        [HttpTrigger(AuthorizationLevel.Function, "delete", Route = "api/models/{model}")] HttpRequest request, string model, CancellationToken cancellationToken) =>
        Names.IsModel(model) && await control.RemoveModelAsync(model, cancellationToken) is { } removed
            ? Results.Json(removed, JobsJson.Default.ModelManifest)
            : throw CompletionRequest.UnknownModel(model);
}
