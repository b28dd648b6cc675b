using Platform.Functions.Hosting;
using Platform.Functions.Routing;

namespace Platform.Functions.Http.InferenceProtocol;

/// <summary><c>GET /v2/models/{model}[/versions/{version}]/ready</c>: 200 if a call would be served, from a warm replica or by loading one; 400 if no worker lives; 404 if the model is not published.</summary>
internal sealed class ModelReadyFunction(InferenceRouter router, InferenceModels models)
{
    [Function("V2ModelReady")]
    public Task<IResult> Run([HttpTrigger(AuthorizationLevel.Function, "get", Route = "v2/models/{model}/ready")] HttpRequest request, string model, CancellationToken cancellationToken) =>
        RunVersion(request, model, null, cancellationToken);

    [Function("V2ModelVersionReady")]
    public Task<IResult> RunVersion([HttpTrigger(AuthorizationLevel.Function, "get", Route = "v2/models/{model}/versions/{version}/ready")] HttpRequest request, string model, string? version, CancellationToken cancellationToken) =>
        router.AnswerAsync(async () =>
        {
            await models.FindAsync(model, version, cancellationToken);
            var ready = await models.CanServeAsync(cancellationToken);
            return Results.Json(new ModelReady(model, ready), statusCode: ready ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest);
        });
}

/// <summary>The protocol's answer about a model's readiness.</summary>
internal sealed record ModelReady(string Name, bool Ready);
