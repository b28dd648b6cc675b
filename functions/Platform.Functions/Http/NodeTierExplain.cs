using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>GET /api/nodes/{node}/tier/explain?key=</c>: why a key is, or is not, in the NVMe tier of a node.</summary>
internal sealed class NodeTierExplainFunction(NodeProxy nodes)
{
    [Function("NodeTierExplain")]
    public Task<IResult> Run([HttpTrigger(AuthorizationLevel.Function, "get", Route = "api/nodes/{node}/tier/explain")] HttpRequest request, string node, CancellationToken cancellationToken)
    {
        var key = request.Query["key"].FirstOrDefault();
        return ObjectKeys.IsValid(key)
            ? nodes.GetAsync(node, $"{Routes.WorkerTierExplain}?key={Uri.EscapeDataString(key!)}", cancellationToken)
            : throw new ProblemException(Problem.Of(400, ErrorCodes.InvalidRequest, $"key is '{key}'; expected an object key: {ObjectKeys.Rule}."));
    }
}
