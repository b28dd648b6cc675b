using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>GET /api/models</c>: the published models with their files, and where each is resident.</summary>
internal sealed class ListModelsFunction(ControlClient control)
{
    [Function("ListModels")]
    public async Task<IResult> Run([HttpTrigger(AuthorizationLevel.Function, "get", Route = "api/models")] HttpRequest request, CancellationToken cancellationToken) =>
        Results.Json([.. await control.ListModelsAsync(cancellationToken)], JobsJson.Default.ListModelStatus);
}
