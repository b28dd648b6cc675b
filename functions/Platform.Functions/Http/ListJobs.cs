using System.Globalization;
using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>GET /api/jobs?limit=&amp;after=&amp;state=&amp;kind=&amp;label=&amp;since=</c>: jobs, newest first. <c>label</c> is <c>name=value</c> and may be there more than once.</summary>
internal sealed class ListJobsFunction(ControlClient control)
{
    private const int StandardLimit = 50;
    private const int MaxLimit = 500;

    [Function("ListJobs")]
    public async Task<IResult> Run([HttpTrigger(AuthorizationLevel.Function, "get", Route = "api/jobs")] HttpRequest request, CancellationToken cancellationToken)
    {
        var after = request.Query["after"].FirstOrDefault();
        var list = await control.ListJobsAsync(new JobListRequest(string.IsNullOrEmpty(after) ? null : after, Limit(request), State(request)) { Kind = Kind(request), Labels = Labels(request), Since = UsageFunction.SinceOf(request) }, cancellationToken);
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

    private static string? Kind(HttpRequest request)
    {
        var text = request.Query["kind"].FirstOrDefault();
        return string.IsNullOrEmpty(text) ? null
            : JobKinds.All.Contains(text) ? text
            : throw Fault($"kind is '{text}'; expected one of {string.Join(", ", JobKinds.All)}.");
    }

    private static Dictionary<string, string>? Labels(HttpRequest request)
    {
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var text in request.Query["label"])
        {
            var equals = text?.IndexOf('=', StringComparison.Ordinal) ?? -1;
            if (equals < 1)
            {
                throw Fault($"label is '{text}'; expected name=value.");
            }

            labels[text![..equals]] = text[(equals + 1)..];
        }

        return labels.Count == 0 ? null : labels;
    }

    private static ProblemException Fault(string detail) => new(Problem.Of(400, ErrorCodes.InvalidRequest, detail));
}
