using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>POST /api/jobs/{id}/cancel</c>: ends a job; one that has ended stays as it is.</summary>
internal sealed class CancelJobFunction(ControlClient control)
{
    [Function("CancelJob")]
    public async Task<IResult> Run([HttpTrigger(AuthorizationLevel.Function, "post", Route = "api/jobs/{id}/cancel")] HttpRequest request, string id, CancellationToken cancellationToken) =>
        await control.CancelJobAsync(JobIds.Checked(id), cancellationToken) is { } job ? Results.Json(job, JobsJson.Default.JobStatus) : throw JobIds.Unknown(id);
}
