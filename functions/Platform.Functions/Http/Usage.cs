using System.Globalization;
using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>GET /api/usage?by=&amp;since=</c>: time and cost of jobs, summed up by function, model, tenant or kind.</summary>
internal sealed class UsageFunction(ControlClient control)
{
    [Function("Usage")]
    public async Task<IResult> Run([HttpTrigger(AuthorizationLevel.Function, "get", Route = "api/usage")] HttpRequest request, CancellationToken cancellationToken)
    {
        var by = request.Query["by"].FirstOrDefault() is { Length: > 0 } named ? named : UsageKeys.Kind;
        if (!UsageKeys.All.Contains(by))
        {
            throw new ProblemException(Problem.Of(400, ErrorCodes.InvalidRequest, $"by is '{by}'; expected one of {string.Join(", ", UsageKeys.All)}."));
        }

        return Results.Json(await control.UsageAsync(new UsageRequest(by, SinceOf(request)), cancellationToken), JobsJson.Default.UsageTable);
    }

    /// <summary>The moment in <c>?since=</c>; null if none is named.</summary>
    /// <exception cref="ProblemException">It is none.</exception>
    internal static DateTimeOffset? SinceOf(HttpRequest request)
    {
        var text = request.Query["since"].FirstOrDefault();
        return string.IsNullOrEmpty(text) ? null
            : DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var since) ? since
            : throw new ProblemException(Problem.Of(400, ErrorCodes.InvalidRequest, $"since is '{text}'; expected a time such as 2026-01-31 or 2026-01-31T08:00:00Z."));
    }
}
