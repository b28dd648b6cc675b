using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Records rows with the index actor.</summary>
internal sealed class DaprJobIndex(ActorProxyFactory actors, TimeProvider time) : IJobIndex
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    public Task RecordAsync(JobSummary summary, CancellationToken cancellationToken) => TellAsync(nameof(IJobIndexActor.Record), summary, cancellationToken);

    public Task RemoveAsync(JobSummary summary, CancellationToken cancellationToken) => TellAsync(nameof(IJobIndexActor.Remove), summary, cancellationToken);

    private async Task TellAsync(string method, JobSummary summary, CancellationToken cancellationToken)
    {
        // A turn waits for this: a stuck index must not hold jobs.
        using var timeout = new CancellationTokenSource(Timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        await actors.CreateActorProxy(AppIds.JobIndexActor, AppIds.IndexActorId).InvokeMethodAsync(method, summary, JobsJson.Default.JobSummary, either.Token);
    }
}
