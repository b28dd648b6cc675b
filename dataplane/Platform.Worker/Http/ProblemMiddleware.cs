using System.Text.Json;
using Platform.Jobs;

namespace Platform.Worker.Http;

/// <summary>Answers every failure before the first byte as problem+json: expected ones by their code, ours as 500 with the trace id.</summary>
internal sealed class ProblemMiddleware(RequestDelegate next, ILogger<ProblemMiddleware> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // Nobody listens any more.
        }
        catch (Exception fault) when (!context.Response.HasStarted)
        {
            var problem = RequestFault.ProblemOf(fault);
            if (problem is null)
            {
                HttpLog.Failed(logger, fault, context.Request.Method, context.Request.Path);
                problem = Problem.Of(500, ErrorCodes.Internal, $"An error of ours; the worker's log has it under trace id {System.Diagnostics.Activity.Current?.TraceId.ToString() ?? context.TraceIdentifier}.");
            }
            else
            {
                HttpLog.Refused(logger, context.Request.Method, context.Request.Path, problem.Status, problem.Code, problem.Detail);
            }

            await WriteAsync(context, problem, RequestFault.RetryAfterOf(fault));
            return;
        }

        if (context.Response.StatusCode is 404 or 405 && !context.Response.HasStarted && context.Response.ContentLength is null && context.GetEndpoint() is not { Metadata.Count: > 0 })
        {
            var status = context.Response.StatusCode;
            await WriteAsync(context, Problem.Of(status, ErrorCodes.RouteNotFound, $"No route answers {context.Request.Method} {context.Request.Path} here."));
        }
    }

    private static Task WriteAsync(HttpContext context, Problem problem, string retryAfter = "1")
    {
        context.Response.Clear();
        context.Response.StatusCode = problem.Status;
        context.Response.ContentType = Problem.ContentType;
        if (problem.Status is 429 or 503)
        {
            context.Response.Headers.RetryAfter = retryAfter;
        }

        return context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(problem, JobsJson.Default.Problem), context.RequestAborted).AsTask();
    }
}
