using Platform.Jobs;

namespace Platform.Functions.Hosting;

/// <summary>Says which exceptions of HTTP functions are answers. The app registers its own.</summary>
internal interface IProblemMapper
{
    /// <summary>The answer for <paramref name="exception"/>; null if it is a fault of ours.</summary>
    Problem? Map(Exception exception);
}

/// <summary>Ends an HTTP function with a problem, from any depth.</summary>
internal sealed class ProblemException(Problem problem, TimeSpan? retryAfter = null) : Exception(problem.Detail)
{
    public Problem Problem { get; } = problem;

    /// <summary>When the caller may try again, for 429 and 503.</summary>
    public TimeSpan? RetryAfter { get; } = retryAfter;

    /// <summary>Value of the header <c>Server-Timing</c>; null for none.</summary>
    public string? Timing { get; set; }
}

/// <summary>A problem as a function's result.</summary>
internal sealed class ProblemResult(Problem problem, TimeSpan? retryAfter = null, string? timing = null) : IResult
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

        await response.WriteAsJsonAsync(problem, JobsJson.Default.Problem, Problem.ContentType, httpContext.RequestAborted);
    }
}
