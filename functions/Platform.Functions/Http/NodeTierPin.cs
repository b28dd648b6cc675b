using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>PUT</c> and <c>DELETE /api/nodes/{node}/tier/pin?key=</c>: keeps the blob of a key in the NVMe tier of a node whatever comes, and lets it go again.</summary>
internal sealed class NodeTierPinFunction(NodeProxy nodes)
{
    [Function("NodeTierPin")]
    public Task<IResult> Run([HttpTrigger(AuthorizationLevel.Function, "put", "delete", Route = "api/nodes/{node}/tier/pin")] HttpRequest request, string node, CancellationToken cancellationToken) =>
        nodes.AskOfKeyAsync(request, node, Routes.WorkerTierPin, cancellationToken);
}
