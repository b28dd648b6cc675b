using Platform.Jobs;

namespace Platform.Worker.Jobs;

/// <summary>Tells the actor of a job what its worker does. A report that does not arrive is a <see cref="Platform.Dapr.DaprException"/>: say it again.</summary>
internal interface ILeaseReporter
{
    Task<LeaseAnswer> StartedAsync(string jobId, LeaseReport report, CancellationToken cancellationToken);

    Task<LeaseAnswer> HeartbeatAsync(string jobId, LeaseReport report, CancellationToken cancellationToken);

    Task<LeaseAnswer> CompleteAsync(string jobId, LeaseReport report, CancellationToken cancellationToken);

    Task<LeaseAnswer> ReturnAsync(string jobId, LeaseReport report, CancellationToken cancellationToken);

    Task<LeaseAnswer> FailAsync(string jobId, LeaseReport report, CancellationToken cancellationToken);
}
