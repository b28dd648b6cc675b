using Platform.Dapr;
using Platform.Functions.Hosting;
using Platform.Jobs;

namespace Platform.Functions.Routing;

/// <summary>Asks one node a question and hands on its answer.</summary>
internal sealed class NodeProxy(NodeTableCache table, DaprInvoker dapr)
{
    /// <summary>The node's answer to a GET, as it is.</summary>
    /// <exception cref="ProblemException">There is no such node.</exception>
    public Task<IResult> GetAsync(string node, string method, CancellationToken cancellationToken) => AskAsync(HttpMethod.Get, node, method, cancellationToken);

    /// <summary>The node's answer to a request about the blob that the query of <paramref name="request"/> names.</summary>
    /// <exception cref="ProblemException">There is no such node, or the query names no key.</exception>
    public Task<IResult> AskOfKeyAsync(HttpRequest request, string node, string route, CancellationToken cancellationToken, string more = "")
    {
        var key = request.Query["key"].FirstOrDefault();
        return ObjectKeys.IsValid(key)
            ? AskAsync(HttpMethod.Parse(request.Method), node, $"{route}?key={Uri.EscapeDataString(key!)}{more}", cancellationToken)
            : throw new ProblemException(Problem.Of(400, ErrorCodes.InvalidRequest, $"key is '{key}'; expected an object key: {ObjectKeys.Rule}."));
    }

    private async Task<IResult> AskAsync(HttpMethod verb, string node, string method, CancellationToken cancellationToken)
    {
        var nodes = await table.GetAsync(cancellationToken);
        if (nodes.Nodes.All(known => known.Heartbeat.Worker != node))
        {
            throw new ProblemException(Problem.Of(404, ErrorCodes.NodeNotFound, $"There is no node '{node}'; known: {string.Join(", ", nodes.Nodes.Select(known => known.Heartbeat.Worker))}."));
        }

        return await SendAsync(verb, node, method, cancellationToken);
    }

    /// <summary>The answer of the app <paramref name="worker"/>, which must be known to be one.</summary>
    public Task<IResult> SendAsync(string worker, string method, CancellationToken cancellationToken) => SendAsync(HttpMethod.Get, worker, method, cancellationToken);

    private async Task<IResult> SendAsync(HttpMethod verb, string worker, string method, CancellationToken cancellationToken)
    {
        using var request = dapr.CreateInvokeMethodRequest(verb, worker, method);
        using var response = await dapr.SendAsync(request, HttpCompletionOption.ResponseContentRead, cancellationToken);
        var body = await response.Content.ReadAsByteArrayAsync(cancellationToken);
        return Results.Text(body, response.Content.Headers.ContentType?.ToString() ?? "text/plain; charset=utf-8", statusCode: (int)response.StatusCode);
    }
}
