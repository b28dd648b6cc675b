using Platform.Control.Nodes;
using Platform.Dapr;
using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Wakes the most urgent waiting jobs as soon as a heartbeat says that a node can take one. At the start it asks the index who waited in the process before.</summary>
internal sealed class DispatchService(NodeRegistry nodes, WaitingJobs waiting, ActorProxyFactory actors, TimeProvider time, ILogger<DispatchService> logger) : BackgroundService
{
    private const int PageRows = 500;
    private const int MaxWakesPerWalk = 32;
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(500);

    /// <summary>How far down the line the last walk came; null if to its end.</summary>
    private WaitingJob? _reached;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await Task.WhenAll(FindWaitingAsync(stoppingToken), WakeAllAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process stops; the next one asks the index again.
        }
    }

    private async Task FindWaitingAsync(CancellationToken cancellationToken)
    {
        string? after = null;
        var found = 0;
        var isLast = false;
        while (!isLast)
        {
            try
            {
                var page = await actors.CreateActorProxy(AppIds.JobIndexActor, AppIds.IndexActorId).InvokeMethodAsync(
                    nameof(IJobIndexActor.List), new JobListRequest(after, PageRows, JobState.Queued), JobsJson.Default.JobListRequest, JobsJson.Default.JobList, cancellationToken);
                foreach (var job in page.Jobs)
                {
                    waiting.Add(new WaitingJob(job.Priority, job.SubmittedAt, job.Id));
                }

                (after, found, isLast) = (page.Next, found + page.Jobs.Count, page.Next is null);
            }
            catch (DaprException)
            {
                // The sidecar waits for this very process to listen; a moment later it answers.
                await Task.Delay(RetryDelay, time, cancellationToken);
            }
        }

        JobLog.FoundWaiting(logger, found);
    }

    private async Task WakeAllAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var heartbeat = nodes.NextHeartbeat();
            await WakeWhileSlotsAreFreeAsync(cancellationToken);
            await heartbeat.WaitAsync(cancellationToken);
        }
    }

    /// <summary>
    /// Goes down the line: a job that waits for more than its turn leaves the slot to the next. Half of the wake-ups begin at the front, where what is most urgent stands; the other half
    /// go on where the heartbeat before stopped, so that no number of such jobs keeps the others from being seen.
    /// </summary>
    private async Task WakeWhileSlotsAreFreeAsync(CancellationToken cancellationToken)
    {
        if (await WalkAsync(null, cancellationToken) is not { } front)
        {
            _reached = null;
            return;
        }

        _reached = await WalkAsync(_reached is { } reached && reached > front ? reached : front, cancellationToken);
    }

    /// <summary>Wakes jobs after <paramref name="after"/>; returns the last of them, null if the line or the free slots ended first.</summary>
    private async Task<WaitingJob?> WalkAsync(WaitingJob? after, CancellationToken cancellationToken)
    {
        for (var woken = 0; woken < MaxWakesPerWalk;)
        {
            var batch = waiting.Take(Math.Min(nodes.FreeJobSlots(), MaxWakesPerWalk - woken), after);
            if (batch.Count == 0)
            {
                return null;
            }

            await Task.WhenAll(batch.Select(job => WakeAsync(job, cancellationToken)));
            (woken, after) = (woken + batch.Count, batch[^1]);
        }

        return after;
    }

    private async Task WakeAsync(WaitingJob job, CancellationToken cancellationToken)
    {
        try
        {
            await actors.CreateActorProxy(AppIds.JobActor, job.Id).InvokeMethodAsync(nameof(IJobActor.Dispatch), cancellationToken);
        }
        catch (DaprException fault)
        {
            JobLog.NotWoken(logger, job.Id, fault.Message);
            waiting.Add(job);
        }
    }
}
