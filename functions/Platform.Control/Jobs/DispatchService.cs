using Platform.Control.Nodes;
using Platform.Dapr;
using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Wakes the oldest waiting jobs as soon as a heartbeat says that a node can take one.</summary>
internal sealed class DispatchService(NodeRegistry nodes, WaitingJobs waiting, ActorProxyFactory actors, ILogger<DispatchService> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var heartbeat = nodes.NextHeartbeat();
            if (waiting.Take(nodes.FreeJobSlots()) is { Count: > 0 } jobs)
            {
                await Task.WhenAll(jobs.Select(job => WakeAsync(job, stoppingToken)));
            }

            await heartbeat.WaitAsync(stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task WakeAsync(string job, CancellationToken cancellationToken)
    {
        try
        {
            await actors.CreateActorProxy(AppIds.JobActor, job).InvokeMethodAsync(nameof(IJobActor.Dispatch), cancellationToken);
        }
        catch (DaprException fault)
        {
            JobLog.NotWoken(logger, job, fault.Message);
        }
        catch (OperationCanceledException)
        {
            // The process stops; the job's own check goes on elsewhere.
        }
    }
}
