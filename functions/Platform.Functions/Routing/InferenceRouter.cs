using Microsoft.Extensions.Options;
using Platform.Functions.Hosting;
using Platform.Jobs;

namespace Platform.Functions.Routing;

/// <summary>Sends calls of the Open Inference Protocol v2 the way completions go, and answers failures as the protocol asks for.</summary>
internal sealed class InferenceRouter(CompletionRouter router, IEnumerable<IProblemMapper> problems, TimeProvider time, IOptions<RouterOptions> options, ILogger<InferenceRouter> logger)
{
    /// <summary>Passes the call to a worker that serves the model.</summary>
    /// <param name="request">The call.</param>
    /// <param name="model">Model in the path.</param>
    /// <param name="version">Version in the path; null if there is none.</param>
    /// <param name="workerRoute">The worker's route for a model.</param>
    /// <param name="stream">True if the answer comes as events.</param>
    /// <param name="cancellationToken">Aborts the call, at the worker too.</param>
    public Task<IResult> SendAsync(HttpRequest request, string model, string? version, Func<string, string> workerRoute, bool stream, CancellationToken cancellationToken) => AnswerAsync(async () =>
    {
        var arrived = time.GetTimestamp();
        CheckName(model, version);
        var body = await RequestBody.ReadAsync(request, options.Value.MaxRequestBytes, cancellationToken);
        var jsonBytes = request.Headers[Routes.InferenceHeaderLength].ToString();
        var completion = new CompletionRequest(model, stream, body, workerRoute(model))
        {
            Header = jsonBytes.Length > 0 ? KeyValuePair.Create(Routes.InferenceHeaderLength, jsonBytes) : null,
        };
        return new CompletionResult(await router.SendAsync(completion, arrived, cancellationToken), static problem => InferenceError.Of(problem).ToUtf8(), logger);
    });

    /// <summary>Runs <paramref name="call"/>; what it throws that is an answer has the protocol's body.</summary>
    public async Task<IResult> AnswerAsync(Func<Task<IResult>> call)
    {
        try
        {
            return await call();
        }
        catch (ProblemException fault)
        {
            return new InferenceErrorResult(fault.Problem, fault.RetryAfter, fault.Timing);
        }
        catch (Exception fault) when (problems.Select(mapper => mapper.Map(fault)).FirstOrDefault(problem => problem is not null) is { } problem)
        {
            return new InferenceErrorResult(problem, problem.Status is 503 ? TimeSpan.FromSeconds(1) : null);
        }
    }

    /// <exception cref="ProblemException">No model can have this name, or it has no such version.</exception>
    public static void CheckName(string model, string? version)
    {
        if (!Names.IsModel(model))
        {
            throw CompletionRequest.UnknownModel(model);
        }

        if (version is not (null or Routes.InferenceModelVersion))
        {
            throw new ProblemException(Problem.Of(404, ErrorCodes.ModelNotFound, $"Model '{model}' has no version '{(version.Length > 80 ? version[..80] : version)}'; a published model has version '{Routes.InferenceModelVersion}', and a new publication takes its place."));
        }
    }
}

/// <summary>An error as the Open Inference Protocol v2 has it.</summary>
internal sealed class InferenceErrorResult(Problem problem, TimeSpan? retryAfter, string? timing = null) : IResult
{
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = problem.Status;
        if (retryAfter is { } wait)
        {
            response.Headers.RetryAfter = Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds)).ToString();
        }

        if (timing is not null)
        {
            response.Headers[ServerTiming.Header] = timing;
        }

        response.ContentType = "application/json";
        await response.Body.WriteAsync(InferenceError.Of(problem).ToUtf8(), httpContext.RequestAborted);
    }
}
