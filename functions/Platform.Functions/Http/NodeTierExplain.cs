using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>GET /api/nodes/{node}/tier/explain?key=</c>: why a key is, or is not, in the NVMe tier of a node.</summary>
internal sealed class NodeTierExplainFunction(NodeProxy nodes)
{
    [Function("NodeTierExplain")]
    public Task<IResult> Run([HttpTrigger(AuthorizationLevel.Function, "get", Route = "api/nodes/{node}/tier/explain")] HttpRequest request, string node, CancellationToken cancellationToken) =>
        nodes.AskOfKeyAsync(request, node, Routes.WorkerTierExplain, cancellationToken);
}
