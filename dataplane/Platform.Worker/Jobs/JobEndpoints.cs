using System.Globalization;
using System.Text.Json;
using Platform.Jobs;
using Platform.Worker.Http;

namespace Platform.Worker.Jobs;

/// <summary>Takes leases and shows logs.</summary>
internal static class JobEndpoints
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost(Routes.WorkerRunJob, RunAsync);
        routes.MapPost(Routes.WorkerTidyJob("{jobId}"), TidyAsync);
        routes.MapPost(Routes.WorkerPrefetch, PrefetchAsync);
        routes.MapDelete(Routes.WorkerForgetJob("{jobId}"), ForgetAsync);
        routes.MapGet("jobs/{jobId}/logs/{attempt:int}", ReadLogAsync);
    }

    private static async Task<IResult> RunAsync(HttpContext context, JobRuns runs)
    {
        RunJobRequest? request;
        try
        {
            request = await JsonSerializer.DeserializeAsync(context.Request.Body, JobsJson.Default.RunJobRequest, context.RequestAborted);
        }
        catch (JsonException fault)
        {
            throw new RequestException(ErrorCodes.InvalidJson, $"The body is not a lease: {fault.Message}");
        }

        if (request is null || !Names.IsJobId(request.JobId))
        {
            throw new RequestException(ErrorCodes.InvalidRequest, $"'{request?.JobId}' is not a job id; expected {Names.JobIdRule}.");
        }

        return runs.TryStart(request) is { } declined
            ? Results.Json(declined, JobsJson.Default.Problem, Problem.ContentType, declined.Status)
            : Results.Accepted();
    }

    private static async Task<IResult> PrefetchAsync(HttpContext context, JobPrefetch prefetch)
    {
        try
        {
            var request = await JsonSerializer.DeserializeAsync(context.Request.Body, JobsJson.Default.PrefetchRequest, context.RequestAborted)
                ?? throw new RequestException(ErrorCodes.InvalidJson, "The body is null; expected what to stage.");
            return Results.Json(await prefetch.BeginAsync(request, context.RequestAborted), JobsJson.Default.MissingObjects);
        }
        catch (JsonException fault)
        {
            throw new RequestException(ErrorCodes.InvalidJson, $"The body does not say what to stage: {fault.Message}");
        }
    }

    private static async Task<IResult> ForgetAsync(HttpContext context, string jobId, JobLeftovers leftovers)
    {
        if (!Names.IsJobId(jobId))
        {
            throw new RequestException(ErrorCodes.InvalidRequest, $"'{jobId}' is not a job id; expected {Names.JobIdRule}.");
        }

        await leftovers.ForgetAsync(jobId, context.RequestAborted);
        return Results.NoContent();
    }

    private static async Task<IResult> TidyAsync(HttpContext context, string jobId, JobLeftovers leftovers)
    {
        if (!Names.IsJobId(jobId))
        {
            throw new RequestException(ErrorCodes.InvalidRequest, $"'{jobId}' is not a job id; expected {Names.JobIdRule}.");
        }

        var keep = context.Request.Query["keep"].ToString();
        return keep.Length == 0 || long.TryParse(keep, NumberStyles.None, CultureInfo.InvariantCulture, out _)
            ? Results.Json(await leftovers.DeleteAsync(jobId, keep.Length == 0 ? null : long.Parse(keep, CultureInfo.InvariantCulture), context.RequestAborted), JobsJson.Default.TidyAnswer)
            : throw new RequestException(ErrorCodes.InvalidRequest, $"'keep' is '{keep}'; expected a fencing token.");
    }

    private static async Task<IResult> ReadLogAsync(HttpContext context, string jobId, int attempt, AttemptLogs logs)
    {
        if (!Names.IsJobId(jobId))
        {
            throw new RequestException(ErrorCodes.InvalidRequest, $"'{jobId}' is not a job id; expected {Names.JobIdRule}.");
        }

        var offset = 0L;
        if (context.Request.Query["offset"] is [{ Length: > 0 } text] && (!long.TryParse(text, out offset) || offset < 0))
        {
            throw new RequestException(ErrorCodes.InvalidRequest, $"'offset' is '{text}'; expected a number of bytes.");
        }

        return await logs.ReadAsync(jobId, attempt, offset, context.RequestAborted) is { } bytes
            ? Results.Bytes(bytes, "text/plain; charset=utf-8")
            : throw new RequestException(ErrorCodes.JobNotFound, $"There is no log of attempt {attempt} of job '{jobId}' on this node or in object storage.");
    }
}
