using System.Globalization;
using Platform.Dapr;
using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>GET /api/jobs/{id}/logs?attempt=&amp;offset=</c>: the log of an attempt as text, the last one if none is named.</summary>
internal sealed class JobLogsFunction(ControlClient control, NodeProxy nodes, NodeTableCache table)
{
    [Function("JobLogs")]
    public async Task<IResult> Run([HttpTrigger(AuthorizationLevel.Function, "get", Route = "api/jobs/{id}/logs")] HttpRequest request, string id, CancellationToken cancellationToken)
    {
        var job = await control.GetJobAsync(JobIds.Checked(id), cancellationToken) ?? throw JobIds.Unknown(id);
        if (job.Attempts.Count == 0)
        {
            return Results.Text("");
        }

        var number = Number(request, "attempt", job.Attempts[^1].Number);
        var attempt = job.Attempts.FirstOrDefault(candidate => candidate.Number == number)
            ?? throw new ProblemException(Problem.Of(400, ErrorCodes.InvalidRequest, $"Job '{id}' has no attempt {number}; it has had {job.Attempts.Count}."));
        var method = $"{Routes.WorkerJobLog(id, attempt.Number)}?offset={Number(request, "offset", 0)}";
        return await AskAsync(attempt.Worker, method, cancellationToken);
    }

    /// <summary>The attempt's own worker has the log while it is written; any worker finds a kept one in object storage.</summary>
    private async Task<IResult> AskAsync(string worker, string method, CancellationToken cancellationToken)
    {
        try
        {
            return await nodes.SendAsync(worker, method, cancellationToken);
        }
        catch (DaprInvocationException exception) when (exception.IsTransport)
        {
            var others = (await table.GetAsync(cancellationToken)).Nodes.Where(node => node.Alive && node.Heartbeat.Worker != worker).ToList();
            if (others.Count == 0)
            {
                throw;
            }

            return await nodes.SendAsync(others[0].Heartbeat.Worker, method, cancellationToken);
        }
    }

    private static long Number(HttpRequest request, string name, long standard)
    {
        var text = request.Query[name].FirstOrDefault();
        return string.IsNullOrEmpty(text) ? standard
            : long.TryParse(text, CultureInfo.InvariantCulture, out var number) && number >= 0 ? number
            : throw new ProblemException(Problem.Of(400, ErrorCodes.InvalidRequest, $"{name} is '{text}'; expected a whole number from 0."));
    }
}
