using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Records rows with the index actor.</summary>
internal sealed class DaprJobIndex(ActorProxyFactory actors, TimeProvider time) : IJobIndex
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    public async Task RecordAsync(JobSummary summary, CancellationToken cancellationToken)
    {
        // A turn waits for this: a stuck index must not hold jobs.
        using var timeout = new CancellationTokenSource(Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        await actors.CreateActorProxy(AppIds.JobIndexActor, AppIds.IndexActorId)
            .InvokeMethodAsync(nameof(IJobIndexActor.Record), summary, JobsJson.Default.JobSummary, either.Token);
    }
}
