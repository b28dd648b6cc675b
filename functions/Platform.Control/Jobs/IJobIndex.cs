using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Where a job tells that it changed, so that listings show it.</summary>
internal interface IJobIndex
{
    /// <summary>Records a row. Idempotent; an older version than the recorded one changes nothing.</summary>
    Task RecordAsync(JobSummary summary, CancellationToken cancellationToken);

    /// <summary>Removes a row; its usage stays in the sums. Idempotent.</summary>
    Task RemoveAsync(JobSummary summary, CancellationToken cancellationToken);
}
