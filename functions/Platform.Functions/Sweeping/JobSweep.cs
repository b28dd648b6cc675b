using Platform.Dapr;
using Platform.Functions.Routing;
using Platform.Jobs;

namespace Platform.Functions.Sweeping;

/// <summary>Nudges jobs that go on, and has control clean up after those that have ended.</summary>
/// <remarks>
/// A sweep costs the same however many jobs there are: every job has an alarm of its own, and the nudge is for one whose alarm was lost. Only jobs that may have left something are
/// cleaned up after: more than one attempt, or an end without a result. One failing call never ends the sweep.
/// </remarks>
internal sealed class JobSweep(ControlClient control, TimeProvider time, ILogger<JobSweep> logger)
{
    private const int PageSize = 500;

    /// <summary>Newest jobs that one sweep looks at; older ones were looked at when they were newer.</summary>
    private const int Depth = 2000;

    private const int MaxNudges = 200;

    /// <summary>An attempt that has lost its lease hears so with its next heartbeat; by then it writes no more.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(2);

    /// <summary>Jobs that are known to be clean; forgotten with the process, which costs one look each.</summary>
    private readonly HashSet<string> _clean = new(StringComparer.Ordinal);

    public async Task<Swept> RunAsync(CancellationToken cancellationToken)
    {
        var swept = Swept.Nothing;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        await foreach (var job in NewestAsync(cancellationToken))
        {
            seen.Add(job.Id);
            if (!JobTransitions.IsTerminal(job.State))
            {
                swept += swept.Nudged < MaxNudges ? await NudgeAsync(job, cancellationToken) : Swept.Nothing;
            }
            else if (MayHaveLeftSomething(job) && !_clean.Contains(job.Id))
            {
                swept += await TidyAsync(job, cancellationToken);
            }
        }

        _clean.IntersectWith(seen);
        return swept;
    }

    private Task<Swept> NudgeAsync(JobSummary job, CancellationToken cancellationToken) => TryAsync(job.Id, async () =>
    {
        await control.DispatchJobAsync(job.Id, cancellationToken);
        return new Swept { Nudged = 1 };
    });

    private Task<Swept> TidyAsync(JobSummary job, CancellationToken cancellationToken) => TryAsync(job.Id, async () =>
    {
        if (await control.TidyJobAsync(job.Id, cancellationToken) is not { } tidied)
        {
            return Swept.Nothing;
        }

        _clean.Add(job.Id);
        return new Swept { ObjectsDeleted = tidied.Objects, BytesDeleted = tidied.LengthBytes };
    });

    private bool MayHaveLeftSomething(JobSummary job) => job.Attempts > 0
        && (job.Attempts > 1 || job.State != JobState.Succeeded)
        && job.EndedAt is { } ended && time.GetUtcNow() - ended > Quiet;

    private async Task<Swept> TryAsync(string jobId, Func<Task<Swept>> step)
    {
        try
        {
            return await step();
        }
        catch (DaprException exception)
        {
            logger.JobNotSwept(jobId, exception.Message);
            return new Swept { Failures = 1 };
        }
    }

    private async IAsyncEnumerable<JobSummary> NewestAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? after = null;
        var count = 0;
        do
        {
            var page = await control.ListJobsAsync(new JobListRequest(after, PageSize, null), cancellationToken);
            foreach (var job in page.Jobs)
            {
                yield return job;
                count++;
            }

            after = page.Next;
        }
        while (after is not null && count < Depth);
    }
}
