using Platform.Control.Nodes;
using Platform.Dapr;
using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Wakes the most urgent waiting jobs as soon as a heartbeat says that a node can take one. At the start it asks the index who waited in the process before.</summary>
internal sealed class DispatchService(NodeRegistry nodes, WaitingJobs waiting, ActorProxyFactory actors, TimeProvider time, ILogger<DispatchService> logger) : BackgroundService
{
    private const int PageRows = 500;
    private const int MaxWakesPerHeartbeat = 64;
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMilliseconds(500);

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

    /// <summary>Goes down the line: a job that waits for more than its turn leaves the slot to the next, within bounds.</summary>
    private async Task WakeWhileSlotsAreFreeAsync(CancellationToken cancellationToken)
    {
        WaitingJob? last = null;
        for (var woken = 0; woken < MaxWakesPerHeartbeat;)
        {
            var batch = waiting.Take(Math.Min(nodes.FreeJobSlots(), MaxWakesPerHeartbeat - woken), last);
            if (batch.Count == 0)
            {
                return;
            }

            await Task.WhenAll(batch.Select(job => WakeAsync(job, cancellationToken)));
            (woken, last) = (woken + batch.Count, batch[^1]);
        }
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
