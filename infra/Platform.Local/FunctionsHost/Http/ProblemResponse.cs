using Platform.Jobs;

namespace Platform.Local.FunctionsHost.Http;

/// <summary>Writes a problem of the host itself.</summary>
internal static class ProblemResponse
{
    /// <summary>Does nothing if the response has begun. Headers that were set stay, but for those of a body.</summary>
    public static async Task WriteProblemAsync(this HttpContext context, int status, string code, string detail)
    {
        if (!context.Response.HasStarted)
        {
            context.Response.ContentLength = null;
            context.Response.StatusCode = status;
            await context.Response.WriteAsJsonAsync(Problem.Of(status, code, detail), JobsJson.Default.Problem, Problem.ContentType, context.RequestAborted);
        }
    }
}
