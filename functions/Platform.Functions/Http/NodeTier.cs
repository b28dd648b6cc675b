using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>GET /api/nodes/{node}/tier</c>: what the NVMe tier of a node holds.</summary>
internal sealed class NodeTierFunction(NodeProxy nodes)
{
    [Function("NodeTier")]
    public Task<IResult> Run([HttpTrigger(AuthorizationLevel.Function, "get", Route = "api/nodes/{node}/tier")] HttpRequest request, string node, CancellationToken cancellationToken) =>
        nodes.GetAsync(node, Routes.WorkerTier, cancellationToken);
}
