using Platform.Jobs;
using static Platform.SystemTests.Jobs.JobsPlatform;

namespace Platform.SystemTests.Jobs;

/// <summary>Commands as jobs, over the public surface: quotas, exit codes, limits, cancellation, objects that do not exist.</summary>
[Collection(nameof(JobsPlatform))]
public sealed class ExecJobTests(JobsPlatform platform)
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private static Dictionary<string, string> Missing() => new() { ["data/gone-1"] = "one", ["data/gone-2"] = "two" };

    private void CheckMissing(JobStatus job)
    {
        Assert.Equal((JobState.Failed, ErrorCodes.ObjectNotFound), (job.State, job.Failure!.Code));
        Assert.Contains("'data/gone-1', 'data/gone-2' are not in object storage (", job.Failure.Message, StringComparison.Ordinal);
        Assert.Contains(platform.PathOf(""), job.Failure.Message + "/", StringComparison.Ordinal);
    }

    private async Task<string> LogAsync(string id)
    {
        using var answer = await platform.Http.GetAsync(new Uri($"api/jobs/{id}/logs", UriKind.Relative), Cancelled);
        return answer.IsSuccessStatusCode ? await answer.Content.ReadAsStringAsync(Cancelled) : "";
    }
}
