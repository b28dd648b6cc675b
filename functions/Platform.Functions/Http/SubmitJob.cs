using System.Text.Json;
using System.Text.Json.Nodes;
using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;
using Platform.Jobs.Schemas;

namespace Platform.Functions.Http;

/// <summary><c>POST /api/jobs</c>: takes a <see cref="JobSpec"/>, makes the job durable, rings the queue. The same spec under the same id is the same job.</summary>
internal sealed class SubmitJobFunction(ControlClient control)
{
    [Function("SubmitJob")]
    public async Task<SubmitJobAnswer> Run([HttpTrigger(AuthorizationLevel.Function, "post", Route = "api/jobs")] HttpRequest request, CancellationToken cancellationToken)
    {
        var (spec, faults) = await ReadAsync(request, cancellationToken);
        if (spec.Member is not null)
        {
            faults = [.. faults, new SpecFault("$.member", "set by the platform alone, in the children of an array job; leave it out.")];
        }

        return faults.Count > 0
            ? JobSubmission.Refuse(Problem.Of(400, ErrorCodes.InvalidRequest, $"The job has {faults.Count} fault(s): {string.Join(" ", faults.Select(fault => $"{fault.Path} {fault.Message}"))}", faults))
            : await JobSubmission.SendAsync(control, request.HttpContext, spec, cancellationToken);
    }

    private static async Task<(JobSpec Spec, IReadOnlyList<SpecFault> Faults)> ReadAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        if (request.ContentLength is 0 or null && request.Headers.TransferEncoding.Count > 0)
        {
            // Hosts put a body into the envelope only where its length is announced.
            throw new ProblemException(Problem.Of(400, ErrorCodes.InvalidRequest, "The body came without Content-Length (Transfer-Encoding: chunked), and Functions hosts drop such bodies for this route. Send the job with Content-Length."));
        }

        try
        {
            return JobSpecReader.Read(await JsonNode.ParseAsync(request.Body, null, JobSpecReader.ParseOptions, cancellationToken));
        }
        catch (JsonException exception)
        {
            throw new ProblemException(Problem.Of(400, ErrorCodes.InvalidJson, $"The body is not the JSON of a job: {exception.Message}"));
        }
    }
}
