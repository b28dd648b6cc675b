using Platform.Control.Nodes;
using Platform.Dapr;
using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Wakes the oldest waiting jobs as soon as a heartbeat says that a node can take one. At the start it asks the index who waited in the process before.</summary>
internal sealed class DispatchService(NodeRegistry nodes, WaitingJobs waiting, ActorProxyFactory actors, TimeProvider time, ILogger<DispatchService> logger) : BackgroundService
{
    private const int PageRows = 500;
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
                    waiting.Add(job.Id, job.SubmittedAt);
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
            await Task.WhenAll(waiting.Take(nodes.FreeJobSlots()).Select(job => WakeAsync(job.SubmittedAt, job.Id, cancellationToken)));
            await heartbeat.WaitAsync(cancellationToken);
        }
    }

    private async Task WakeAsync(DateTimeOffset submittedAt, string job, CancellationToken cancellationToken)
    {
        try
        {
            await actors.CreateActorProxy(AppIds.JobActor, job).InvokeMethodAsync(nameof(IJobActor.Dispatch), cancellationToken);
        }
        catch (DaprException fault)
        {
            JobLog.NotWoken(logger, job, fault.Message);
            waiting.Add(job, submittedAt);
        }
    }
}
