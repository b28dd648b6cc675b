using Platform.Functions.Hosting;
using Platform.Functions.Routing;

namespace Platform.Functions.Http.InferenceProtocol;

/// <summary><c>GET /v2/models/{model}[/versions/{version}]</c>: a model's inputs and outputs.</summary>
internal sealed class ModelMetadataFunction(InferenceRouter router, InferenceModels models)
{
    [Function("V2ModelMetadata")]
    public Task<IResult> Run([HttpTrigger(AuthorizationLevel.Function, "get", Route = "v2/models/{model}")] HttpRequest request, string model, CancellationToken cancellationToken) =>
        RunVersion(request, model, null, cancellationToken);

    [Function("V2ModelVersionMetadata")]
    public Task<IResult> RunVersion([HttpTrigger(AuthorizationLevel.Function, "get", Route = "v2/models/{model}/versions/{version}")] HttpRequest request, string model, string? version, CancellationToken cancellationToken) =>
        router.AnswerAsync(async () =>
        {
            await models.FindAsync(model, version, cancellationToken);
            return Results.Json(InferenceModels.Describe(model));
        });
}
