using System.Text.Json;
using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>POST /api/jobs</c>: takes a <see cref="JobSpec"/>, makes the job durable, rings the queue. The same spec under the same id is the same job.</summary>
internal sealed class SubmitJobFunction(ControlClient control)
{
    [Function("SubmitJob")]
    public async Task<SubmitJobAnswer> Run([HttpTrigger(AuthorizationLevel.Function, "post", Route = "api/jobs")] HttpRequest request, CancellationToken cancellationToken)
    {
        var spec = await ReadAsync(request, cancellationToken);
        var faults = JobSpecValidation.Validate(spec);
        if (faults.Count > 0)
        {
            return Refuse(Problem.Of(400, ErrorCodes.InvalidRequest, $"The job has {faults.Count} faults: {string.Join(" ", faults.Select(fault => $"{fault.Path} {fault.Message}"))}", faults));
        }

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

        // The message is a doorbell: ringing twice is harmless, and rings lost in a crash are made up for by a second submission.
        var message = JobTransitions.IsTerminal(answer.Status.State) ? null : new JobMessage { Id = id, Spec = spec };
        request.HttpContext.Response.Headers.Location = $"/api/jobs/{id}";
        return new SubmitJobAnswer(Results.Json(answer.Status, JobsJson.Default.JobStatus, statusCode: StatusCodes.Status202Accepted), message);
    }

    private static SubmitJobAnswer Refuse(Problem problem) => new(new ProblemResult(problem), null);

    private static async Task<JobSpec> ReadAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        if (request.ContentLength is 0 or null && request.Headers.TransferEncoding.Count > 0)
        {
            // Hosts put a body into the envelope only where its length is announced.
            throw new ProblemException(Problem.Of(400, ErrorCodes.InvalidRequest, "The body came without Content-Length (Transfer-Encoding: chunked), and Functions hosts drop such bodies for this route. Send the job with Content-Length."));
        }

        try
        {
            return await JsonSerializer.DeserializeAsync(request.Body, JobsJson.Default.JobSpec, cancellationToken) ?? throw new JsonException("found null");
        }
        catch (JsonException exception)
        {
            throw new ProblemException(Problem.Of(400, ErrorCodes.InvalidJson, $"The body is not the JSON of a job: {exception.Message}"));
        }
    }
}

/// <summary>The response, and the message that starts the job.</summary>
internal sealed record SubmitJobAnswer([property: HttpResult] IResult Response, [property: QueueOutput(AppIds.JobQueue)] JobMessage? Job);
