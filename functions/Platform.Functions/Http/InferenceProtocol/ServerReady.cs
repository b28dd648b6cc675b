using Platform.Functions.Hosting;
using Platform.Functions.Routing;

namespace Platform.Functions.Http.InferenceProtocol;

/// <summary><c>GET /v2/health/ready</c>: 200 if a worker lives that can serve models, 400 as the protocol has it if none does.</summary>
internal sealed class ServerReadyFunction(InferenceModels models)
{
    [Function("V2ServerReady")]
    public async Task<IResult> Run([HttpTrigger(AuthorizationLevel.Function, "get", Route = "v2/health/ready")] HttpRequest request, CancellationToken cancellationToken)
    {
        var ready = await models.CanServeAsync(cancellationToken);
        return Results.Json(new ServerReady(ready), statusCode: ready ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest);
    }
}

/// <summary>The protocol's answer about readiness.</summary>
internal sealed record ServerReady(bool Ready);
