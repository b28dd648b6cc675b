using System.Globalization;
using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>GET /api/jobs/{id}/logs?attempt=&amp;offset=&amp;follow=</c>: the log of an attempt as text, the last one if none is named; with <c>follow=true</c> as server-sent events, over all attempts, to the end of the job.</summary>
internal sealed class JobLogsFunction(ControlClient control, JobLogReader reader, TimeProvider time)
{
    [Function("JobLogs")]
    public async Task<IResult> Run([HttpTrigger(AuthorizationLevel.Function, "get", Route = "api/jobs/{id}/logs")] HttpRequest request, string id, CancellationToken cancellationToken)
    {
        var job = await control.GetJobAsync(JobIds.Checked(id), cancellationToken) ?? throw JobIds.Unknown(id);
        if (request.Query["follow"].FirstOrDefault() is "true" or "1")
        {
            return new JobLogStream(token => control.GetJobAsync(id, token), (attempt, offset, token) => reader.ReadAsync(id, attempt, offset, token), StartOf(request), time);
        }

        if (job.Attempts.Count == 0)
        {
            return Results.Text("");
        }

        var number = Number(request, "attempt", job.Attempts[^1].Number);
        var attempt = job.Attempts.FirstOrDefault(candidate => candidate.Number == number)
            ?? throw new ProblemException(Problem.Of(400, ErrorCodes.InvalidRequest, $"Job '{id}' has no attempt {number}; it has had {job.Attempts.Count}."));
        var offset = Number(request, "offset", 0);
        return await reader.ReadAsync(id, attempt, offset, cancellationToken) is { } bytes
            ? new JobLogText(bytes, offset, (from, token) => reader.ReadAsync(id, attempt, from, token))
            : throw new ProblemException(Problem.Of(404, ErrorCodes.JobNotFound, $"There is no log of attempt {attempt.Number} of job '{id}' at present: {attempt.Worker} does not answer, and object storage has none. Ask again once it is back."));
    }

    /// <summary>After the event that the reader saw last; else where the query says; else at the first line of the first attempt.</summary>
    private static LogPosition StartOf(HttpRequest request)
    {
        var last = request.Headers["Last-Event-ID"].FirstOrDefault();
        return string.IsNullOrEmpty(last) ? new LogPosition((int)Math.Clamp(Number(request, "attempt", 1), 1, int.MaxValue), Number(request, "offset", 0))
            : LogPosition.TryParse(last, out var position) ? position
            : throw new ProblemException(Problem.Of(400, ErrorCodes.InvalidRequest, $"Last-Event-ID is '{last}'; expected the id of an event of this stream, attempt:offset."));
    }

    private static long Number(HttpRequest request, string name, long standard)
    {
        var text = request.Query[name].FirstOrDefault();
        return string.IsNullOrEmpty(text) ? standard
            : long.TryParse(text, CultureInfo.InvariantCulture, out var number) && number >= 0 ? number
            : throw new ProblemException(Problem.Of(400, ErrorCodes.InvalidRequest, $"{name} is '{text}'; expected a whole number from 0."));
    }
}
