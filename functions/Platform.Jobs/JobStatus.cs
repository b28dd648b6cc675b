namespace Platform.Jobs;

/// <summary>What <c>GET /api/jobs/{id}</c> answers: the whole truth about one job.</summary>
public sealed record JobStatus
{
    /// <summary>The job's id.</summary>
    public required string Id { get; init; }

    /// <summary>The spec as submitted.</summary>
    public required JobSpec Spec { get; init; }

    /// <summary>Where it stands.</summary>
    public required JobState State { get; init; }

    /// <summary>Why it stands there, in a sentence: why it waits, where it runs, how it ended.</summary>
    public string? Reason { get; init; }

    /// <summary>When the submission became durable, UTC.</summary>
    public required DateTimeOffset SubmittedAt { get; init; }

    /// <summary>When it ended, UTC; null while it goes on.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary>Every attempt so far, oldest first.</summary>
    public IReadOnlyList<JobAttempt> Attempts { get; init; } = [];

    /// <summary>Items finished, and in all; 0 of 0 until the first attempt has read the input.</summary>
    public JobProgress Progress { get; init; } = new(0, 0);

    /// <summary>The committed result; only with <see cref="JobState.Succeeded"/>.</summary>
    public JobResult? Result { get; init; }

    /// <summary>Why it failed; only with Failed and DeadLettered.</summary>
    public JobFailure? Failure { get; init; }

    /// <summary>The children of an array job, counted.</summary>
    public JobArrayStatus? Array { get; init; }

    /// <summary>What became of the webhook; only once the job has ended.</summary>
    public JobWebhookStatus? Webhook { get; init; }

    /// <summary>When everything about the job is removed, UTC; null: kept, or it goes on.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }
}

/// <summary>Where the children of an array job stand.</summary>
/// <param name="Size">Indexes in all.</param>
/// <param name="Submitted">Indexes that are jobs by now, the lowest first.</param>
/// <param name="Succeeded">Ended with a result.</param>
/// <param name="Failed">Failed, or used all of their attempts.</param>
/// <param name="Cancelled">Ended on the user's word.</param>
/// <param name="Tokens">Tokens made by those that succeeded.</param>
/// <param name="FailedIndexes">The lowest indexes that failed, at most 100.</param>
public sealed record JobArrayStatus(int Size, int Submitted, int Succeeded, int Failed, int Cancelled, long Tokens, IReadOnlyList<int> FailedIndexes);

/// <summary>What became of a webhook.</summary>
/// <param name="Tries">Deliveries tried so far.</param>
/// <param name="DeliveredAt">When the address answered with success; null if it has not.</param>
/// <param name="NextAt">When it is tried again; null if it is not.</param>
/// <param name="LastError">Why the last try did not succeed.</param>
public sealed record JobWebhookStatus(int Tries, DateTimeOffset? DeliveredAt, DateTimeOffset? NextAt, string? LastError);

/// <summary>One attempt: who held the lease, and what came of it.</summary>
public sealed record JobAttempt
{
    /// <summary>1 for the first.</summary>
    public required int Number { get; init; }

    /// <summary>Fencing token: grows with every lease of the job; a message with an older token is refused.</summary>
    public required long Token { get; init; }

    /// <summary>App id of the worker.</summary>
    public required string Worker { get; init; }

    /// <summary>When the lease was given.</summary>
    public required DateTimeOffset PlacedAt { get; init; }

    /// <summary>When the worker said that it runs.</summary>
    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>Last sign of life.</summary>
    public DateTimeOffset? HeartbeatAt { get; init; }

    /// <summary>When the attempt ended.</summary>
    public DateTimeOffset? EndedAt { get; init; }

    /// <summary><c>succeeded</c>, <c>failed</c>, <c>lost</c> (no heartbeat), <c>cancelled</c>, <c>returned</c> (by a node that stopped; does not count); null while it runs.</summary>
    public string? Outcome { get; init; }

    /// <summary>Why the attempt ended without a result.</summary>
    public JobFailure? Failure { get; init; }

    /// <summary>Where the time of the attempt went; null while it runs.</summary>
    public JobLedger? Ledger { get; init; }
}

/// <summary>Where the time of an attempt went, in whole milliseconds. Staging, loading, busy and idle-warm together are exactly <see cref="LeaseMs"/>.</summary>
/// <param name="QueuedMs">From the submission, or the end of the attempt before, to the lease.</param>
/// <param name="StagingMs">Waiting for bytes.</param>
/// <param name="LoadingMs">From bytes in memory to an engine that can run.</param>
/// <param name="BusyMs">All the rest of the lease.</param>
public sealed record JobLedger(long QueuedMs, long StagingMs, long LoadingMs, long BusyMs)
{
    private const long HourMs = 3_600_000;

    /// <summary>Held for the job with nothing done: before the worker said that it runs, and after the last sign of life of one that was lost.</summary>
    public long IdleWarmMs { get; init; }

    /// <summary>Price of the node, in millionths of the operator's currency per hour.</summary>
    public long PriceMicrosPerHour { get; init; }

    /// <summary>From the lease to its end: what the node was held for.</summary>
    public long LeaseMs => StagingMs + LoadingMs + BusyMs + IdleWarmMs;

    /// <summary>What the lease costs, in millionths, rounded up once: the cost of jobs and users is the sum of whole numbers.</summary>
    public long CostMicros => (long)(((Int128)PriceMicrosPerHour * LeaseMs + HourMs - 1) / HourMs);
}

/// <summary>Progress in items.</summary>
/// <param name="Done">Items finished.</param>
/// <param name="Total">Items in all; 0 if not known yet.</param>
public sealed record JobProgress(int Done, int Total);

/// <summary>A committed result.</summary>
/// <param name="Key">Object-storage key of the results, one JSON object per line, in the order of the input; of files, the folder; of an array, where its indexes have theirs: <c>{index}</c> stands for the index.</param>
/// <param name="Items">Lines in it.</param>
/// <param name="Tokens">Tokens made by all items.</param>
public sealed record JobResult(string Key, int Items, long Tokens)
{
    /// <summary>Bytes of all output files; 0 for results in one object.</summary>
    public long LengthBytes { get; init; }

    /// <summary>What the command ended with; null if there was none.</summary>
    public int? ExitCode { get; init; }
}

/// <summary>Why an attempt or a job failed.</summary>
/// <param name="Code">One of <see cref="ErrorCodes"/>.</param>
/// <param name="Message">Which thing, what was found, what was expected, what to do.</param>
/// <param name="Retryable">False if another attempt would fail the same way.</param>
public sealed record JobFailure(string Code, string Message, bool Retryable)
{
    /// <summary>What the command ended with; null if there was none. Killed by a signal: 128 and its number.</summary>
    public int? ExitCode { get; init; }
}
