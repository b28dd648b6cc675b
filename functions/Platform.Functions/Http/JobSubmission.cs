using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary>Makes a job durable and rings the queue: the last steps of a submission, and of a repetition.</summary>
internal static class JobSubmission
{
    /// <param name="control">Control.</param>
    /// <param name="context">Gets the <c>Location</c> of the job.</param>
    /// <param name="spec">A spec without faults; its id may be null.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<SubmitJobAnswer> SendAsync(ControlClient control, HttpContext context, JobSpec spec, CancellationToken cancellationToken)
    {
        if (spec.Model is { } model && await control.GetModelAsync(model, cancellationToken) is null)
        {
            throw CompletionRequest.UnknownModel(model);
        }

        var id = spec.Id ?? Names.NewJobId();
        spec = spec with { Id = id };
        var answer = await control.SubmitJobAsync(id, spec, cancellationToken);
        if (answer.Outcome == SubmitOutcome.Conflict)
        {
            return Refuse(Problem.Of(409, ErrorCodes.JobConflict, $"Job '{id}' is known with another spec (state {answer.Status.State}). Submit the changed spec under a new id; GET /api/jobs/{id} shows the known one."));
        }

        // The message is a doorbell: ringing twice is harmless, and rings lost in a crash are made up for by a second submission. Without the spec it fits into any queue,
        // and one that is delivered again after the job was removed makes no second job.
        var message = JobTransitions.IsTerminal(answer.Status.State) ? null : new JobMessage { Id = id };
        context.Response.Headers.Location = $"/api/jobs/{id}";
        return new SubmitJobAnswer(Results.Json(answer.Status, JobsJson.Default.JobStatus, statusCode: StatusCodes.Status202Accepted), message);
    }

    public static SubmitJobAnswer Refuse(Problem problem) => new(new ProblemResult(problem), null);
}

/// <summary>The response, and the message that starts the job.</summary>
internal sealed record SubmitJobAnswer([property: HttpResult] IResult Response, [property: QueueOutput(AppIds.JobQueue)] JobMessage? Job);
