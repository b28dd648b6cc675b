using System.Globalization;
using System.Text.RegularExpressions;
using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Http;

/// <summary><c>POST /api/jobs/{id}/retry</c>: submits the spec of an ended job again. What ended stays as it is; the new job has the id <c>{id}-retry-N</c>, the same one however often this is called.</summary>
internal sealed partial class RetryJobFunction(ControlClient control)
{
    private const int MaxIdCharacters = 64;

    [Function("RetryJob")]
    public async Task<SubmitJobAnswer> Run([HttpTrigger(AuthorizationLevel.Function, "post", Route = "api/jobs/{id}/retry")] HttpRequest request, string id, CancellationToken cancellationToken)
    {
        var job = await control.GetJobAsync(JobIds.Checked(id), cancellationToken) ?? throw JobIds.Unknown(id);
        if (!JobTransitions.IsTerminal(job.State))
        {
            return JobSubmission.Refuse(Problem.Of(409, ErrorCodes.JobNotEnded, $"Job '{id}' is {job.State}; only a job that has ended can be submitted again. Cancel it first with POST /api/jobs/{id}/cancel."));
        }

        return await JobSubmission.SendAsync(control, request.HttpContext, job.Spec with { Id = NextId(id), RetryOf = id }, cancellationToken);
    }

    /// <summary>The id of the job that repeats <paramref name="id"/>.</summary>
    internal static string NextId(string id)
    {
        var (first, number) = (id, 1);
        if (RetryPattern().Match(id) is { Success: true } match)
        {
            (first, number) = (match.Groups["first"].Value, int.Parse(match.Groups["number"].ValueSpan, CultureInfo.InvariantCulture) + 1);
        }

        var suffix = string.Create(CultureInfo.InvariantCulture, $"-retry-{number}");
        return first[..Math.Min(first.Length, MaxIdCharacters - suffix.Length)] + suffix;
    }

    [GeneratedRegex(@"^(?<first>.+)-retry-(?<number>[0-9]{1,6})\z", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex RetryPattern();
}
