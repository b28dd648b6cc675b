using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>GET /api/jobs/{id}</c>: the whole truth about one job.</summary>
internal sealed class GetJobFunction(ControlClient control)
{
    [Function("GetJob")]
    public async Task<IResult> Run([HttpTrigger(AuthorizationLevel.Function, "get", Route = "api/jobs/{id}")] HttpRequest request, string id, CancellationToken cancellationToken) =>
        await control.GetJobAsync(JobIds.Checked(id), cancellationToken) is { } job ? Results.Json(job, JobsJson.Default.JobStatus) : throw JobIds.Unknown(id);
}
