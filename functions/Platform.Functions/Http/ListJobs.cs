using System.Globalization;
using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>GET /api/jobs?limit=&amp;after=&amp;state=</c>: jobs, newest first.</summary>
internal sealed class ListJobsFunction(ControlClient control)
{
    private const int StandardLimit = 50;
    private const int MaxLimit = 500;

    [Function("ListJobs")]
    public async Task<IResult> Run([HttpTrigger(AuthorizationLevel.Function, "get", Route = "api/jobs")] HttpRequest request, CancellationToken cancellationToken)
    {
        var after = request.Query["after"].FirstOrDefault();
        var list = await control.ListJobsAsync(new JobListRequest(string.IsNullOrEmpty(after) ? null : after, Limit(request), State(request)), cancellationToken);
        return Results.Json(list, JobsJson.Default.JobList);
    }

    private static int Limit(HttpRequest request)
    {
        var text = request.Query["limit"].FirstOrDefault();
        return string.IsNullOrEmpty(text) ? StandardLimit
            : int.TryParse(text, CultureInfo.InvariantCulture, out var limit) && limit is >= 1 and <= MaxLimit ? limit
            : throw Fault($"limit is '{text}'; expected 1 to {MaxLimit}.");
    }

    private static JobState? State(HttpRequest request)
    {
        var text = request.Query["state"].FirstOrDefault();
        return string.IsNullOrEmpty(text) ? null
            : Enum.TryParse<JobState>(text, ignoreCase: true, out var state) && Enum.IsDefined(state) ? state
            : throw Fault($"state is '{text}'; expected one of {string.Join(", ", Enum.GetNames<JobState>())}.");
    }

    private static ProblemException Fault(string detail) => new(Problem.Of(400, ErrorCodes.InvalidRequest, detail));
}
