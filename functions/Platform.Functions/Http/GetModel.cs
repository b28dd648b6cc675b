using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>GET /api/models/{model}</c>: one model's manifest and where it is resident.</summary>
internal sealed class GetModelFunction(ControlClient control, NodeTableCache table)
{
    [Function("GetModel")]
    public async Task<IResult> Run(
        [HttpTrigger(AuthorizationLevel.Function, "get", Route = "api/models/{model}")] HttpRequest request, string model, CancellationToken cancellationToken)
    {
        var manifest = Names.IsModel(model) ? await control.GetModelAsync(model, cancellationToken) : null;
        if (manifest is null)
        {
            throw CompletionRequest.UnknownModel(model);
        }

        var nodes = await table.GetAsync(cancellationToken);
        var residency = nodes.Nodes
            .Where(node => node.Alive && node.Heartbeat.Models.GetValueOrDefault(model) != ModelResidency.Absent)
            .ToDictionary(node => node.Heartbeat.Worker, node => node.Heartbeat.Models[model]);
        return Results.Json(new ModelStatus(manifest, residency), JobsJson.Default.ModelStatus);
    }
}
