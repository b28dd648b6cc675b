using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Worker.Jobs;

/// <summary>Reports through the sidecar's actor API.</summary>
internal sealed class ActorLeaseReporter(ActorProxyFactory actors) : ILeaseReporter
{
    public Task<LeaseAnswer> StartedAsync(string jobId, LeaseReport report, CancellationToken cancellationToken) => SayAsync(jobId, "Started", report, cancellationToken);

    public Task<LeaseAnswer> HeartbeatAsync(string jobId, LeaseReport report, CancellationToken cancellationToken) => SayAsync(jobId, "Heartbeat", report, cancellationToken);

    public Task<LeaseAnswer> CompleteAsync(string jobId, LeaseReport report, CancellationToken cancellationToken) => SayAsync(jobId, "Complete", report, cancellationToken);

    public Task<LeaseAnswer> ReturnAsync(string jobId, LeaseReport report, CancellationToken cancellationToken) => SayAsync(jobId, "Return", report, cancellationToken);

    public Task<LeaseAnswer> FailAsync(string jobId, LeaseReport report, CancellationToken cancellationToken) => SayAsync(jobId, "Fail", report, cancellationToken);

    private Task<LeaseAnswer> SayAsync(string jobId, string method, LeaseReport report, CancellationToken cancellationToken) =>
        actors.CreateActorProxy(AppIds.JobActor, jobId).InvokeMethodAsync(method, report, JobsJson.Default.LeaseReport, JobsJson.Default.LeaseAnswer, cancellationToken);
}
