using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>POST /api/nodes/{node}/tier/verify?key=</c>: compares a blob of a node's NVMe tier with its checksums; with <c>&amp;repair=true</c> fetches damaged chunks again.</summary>
internal sealed class NodeTierVerifyFunction(NodeProxy nodes)
{
    [Function("NodeTierVerify")]
    public Task<IResult> Run([HttpTrigger(AuthorizationLevel.Function, "post", Route = "api/nodes/{node}/tier/verify")] HttpRequest request, string node, CancellationToken cancellationToken) =>
        nodes.AskOfKeyAsync(request, node, Routes.WorkerTierVerify, cancellationToken, request.Query["repair"] == "true" ? "&repair=true" : "");
}
