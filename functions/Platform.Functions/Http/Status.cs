using Platform.Dapr;
using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>GET /api/status</c>: the node table, and how this function app stands to it.</summary>
internal sealed class StatusFunction(NodeTableCache table, HeldCalls held, TimeProvider time)
{
    [Function("Status")]
    public async Task<PlatformStatus> Run([HttpTrigger(AuthorizationLevel.Function, "get", Route = "api/status")] HttpRequest request, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(2));
        try
        {
            var fresh = await table.FetchAsync(patience.Token);
            return new PlatformStatus(fresh.Nodes, true, null, held.Count, Environment.ProcessId, time.GetUtcNow());
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested && exception is DaprException or OperationCanceledException)
        {
            // Control is away: what was known last is better than nothing, and says how old it is.
            var age = table.Age;
            var old = age is null ? new NodeTable([]) : await table.GetAsync(cancellationToken);
            return new PlatformStatus(old.Nodes, false, age?.TotalSeconds, held.Count, Environment.ProcessId, time.GetUtcNow());
        }
    }
}
