using System.Net;
using Platform.Dapr;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary>Reads the log of an attempt: its own worker has it while it is written; any worker finds a kept one in object storage.</summary>
internal sealed class JobLogReader(DaprInvoker dapr, NodeTableCache table)
{
    /// <summary>Bytes from <paramref name="offset"/> on, at most 1 MiB at once; null if there is no log, or nobody who has it answers.</summary>
    public async Task<byte[]?> ReadAsync(string jobId, JobAttempt attempt, long offset, CancellationToken cancellationToken)
    {
        var method = $"{Routes.WorkerJobLog(jobId, attempt.Number)}?offset={offset}";
        if (await AskAsync(attempt.Worker, method, cancellationToken) is { } bytes)
        {
            return bytes;
        }

        var others = (await table.GetAsync(cancellationToken)).Nodes.Where(node => node.Alive && node.Heartbeat.Worker != attempt.Worker);
        return others.FirstOrDefault() is { } other ? await AskAsync(other.Heartbeat.Worker, method, cancellationToken) : null;
    }

    private async Task<byte[]?> AskAsync(string worker, string method, CancellationToken cancellationToken)
    {
        try
        {
            using var request = dapr.CreateInvokeMethodRequest(HttpMethod.Get, worker, method);
            using var response = await dapr.SendAsync(request, HttpCompletionOption.ResponseContentRead, cancellationToken);
            return response.StatusCode == HttpStatusCode.OK ? await response.Content.ReadAsByteArrayAsync(cancellationToken) : null;
        }
        catch (DaprInvocationException)
        {
            return null;
        }
    }
}
