using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>What the actor of one job keeps beside the spec. Only <see cref="JobMoves"/> makes a new one.</summary>
internal sealed record JobRecord
{
    public required string Id { get; init; }

    public required JobState State { get; init; }

    public string? Reason { get; init; }

    public required DateTimeOffset SubmittedAt { get; init; }

    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Attempts that a worker has started, and the one that is placed.</summary>
    public IReadOnlyList<JobAttempt> Attempts { get; init; } = [];

    public JobProgress Progress { get; init; } = new(0, 0);

    public JobResult? Result { get; init; }

    public JobFailure? Failure { get; init; }

    /// <summary>Highest fencing token given so far; never goes back, also when an attempt was withdrawn.</summary>
    public long LastToken { get; init; }

    /// <summary>Process of the worker that holds the lease: another process under the same name holds nothing.</summary>
    public string? InstanceId { get; init; }

    /// <summary>What the current attempt has said about staging and loading, for its ledger.</summary>
    public long StagingMs { get; init; }

    public long LoadingMs { get; init; }

    /// <summary>Price of the node that holds the lease.</summary>
    public long PriceMicrosPerHour { get; init; }

    /// <summary>Children of an array job.</summary>
    public ArrayProgress? Array { get; init; }

    /// <summary>What became of the webhook, once the job has ended.</summary>
    public JobWebhookStatus? Webhook { get; init; }

    /// <summary>When everything is removed.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>Not dispatched before this moment: back-off.</summary>
    public DateTimeOffset? NotBefore { get; init; }

    /// <summary>Grows with every saved change.</summary>
    public long Version { get; init; }

    /// <summary>The attempt that holds the lease; null if none does.</summary>
    public JobAttempt? Current() => State is JobState.Placed or JobState.Running && Attempts.Count > 0 ? Attempts[^1] : null;

    /// <summary>Attempts that count against the limit: one that a stopping node handed back does not.</summary>
    public int UsedAttempts => Attempts.Count(attempt => attempt.Outcome != JobOutcomes.Returned);

    public JobStatus ToStatus(JobSpec spec) => new()
    {
        Id = Id,
        Spec = spec,
        State = State,
        Reason = Reason,
        SubmittedAt = SubmittedAt,
        EndedAt = EndedAt,
        Attempts = Attempts,
        Progress = Progress,
        Result = Result,
        Failure = Failure,
        Array = Array?.ToStatus(spec.Array!.Size),
        Webhook = Webhook,
        ExpiresAt = ExpiresAt,
    };

    public JobSummary ToSummary(JobSpec spec) => new(Id, spec.Kind, State, Attempts.Count, SubmittedAt, EndedAt)
    {
        Version = Version,
        Priority = spec.Priority,
        Model = spec.Model,
        Labels = spec.Labels,
        Usage = UsageTotals.Of(Attempts, Result),
    };
}
