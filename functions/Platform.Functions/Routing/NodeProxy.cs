using Platform.Dapr;
using Platform.Functions.Hosting;
using Platform.Jobs;

namespace Platform.Functions.Routing;

/// <summary>Asks one node a question and hands on its answer.</summary>
internal sealed class NodeProxy(NodeTableCache table, DaprInvoker dapr)
{
    /// <summary>The node's answer to a GET, as it is.</summary>
    /// <exception cref="ProblemException">There is no such node.</exception>
    public async Task<IResult> GetAsync(string node, string method, CancellationToken cancellationToken)
    {
        var nodes = await table.GetAsync(cancellationToken);
        if (nodes.Nodes.All(known => known.Heartbeat.Worker != node))
        {
            throw new ProblemException(Problem.Of(404, ErrorCodes.NodeNotFound, $"There is no node '{node}'; known: {string.Join(", ", nodes.Nodes.Select(known => known.Heartbeat.Worker))}."));
        }

        return await SendAsync(node, method, cancellationToken);
    }

    /// <summary>The answer of the app <paramref name="worker"/>, which must be known to be one.</summary>
    public async Task<IResult> SendAsync(string worker, string method, CancellationToken cancellationToken)
    {
        using var request = dapr.CreateInvokeMethodRequest(HttpMethod.Get, worker, method);
        using var response = await dapr.SendAsync(request, HttpCompletionOption.ResponseContentRead, cancellationToken);
        var body = await response.Content.ReadAsStringAsync(cancellationToken);
        return Results.Text(body, response.Content.Headers.ContentType?.ToString() ?? "text/plain; charset=utf-8", statusCode: (int)response.StatusCode);
    }
}
