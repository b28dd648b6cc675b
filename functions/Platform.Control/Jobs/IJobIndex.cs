using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Where a job tells that it changed, so that listings show it.</summary>
internal interface IJobIndex
{
    /// <summary>Records a row; completes when it is durable. Idempotent; an older version than the recorded one changes nothing.</summary>
    Task RecordAsync(JobSummary summary, CancellationToken cancellationToken);

    /// <summary>As <see cref="RecordAsync"/>, for a row that nobody waits for: it may wait a moment for company, and is tried again a few times.</summary>
    Task RecordLaterAsync(JobSummary summary, CancellationToken cancellationToken);

    /// <summary>Removes a row; its usage stays in the sums. Idempotent.</summary>
    Task RemoveAsync(JobSummary summary, CancellationToken cancellationToken);
}
