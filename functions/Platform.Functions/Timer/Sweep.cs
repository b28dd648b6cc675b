using Platform.Functions.Hosting;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Timer;

/// <summary>Once a minute: nudges every job that has not ended, so that one whose reminder or message was lost goes on all the same.</summary>
internal sealed class SweepFunction(ControlClient control)
{
    private const int PageSize = 500;
    private static readonly JobState[] Open = [JobState.Queued, JobState.Placed, JobState.Running];

    [Function("Sweep")]
    public async Task Run([TimerTrigger("0 */1 * * * *")] TimerInfo timer, CancellationToken cancellationToken)
    {
        foreach (var state in Open)
        {
            string? after = null;
            do
            {
                var page = await control.ListJobsAsync(new JobListRequest(after, PageSize, state), cancellationToken);
                foreach (var job in page.Jobs)
                {
                    await control.DispatchJobAsync(job.Id, cancellationToken);
                }

                after = page.Next;
            }
            while (after is not null);
        }
    }
}
