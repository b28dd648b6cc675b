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
}

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

    /// <summary><c>succeeded</c>, <c>failed</c>, <c>lost</c> (no heartbeat), <c>cancelled</c>; null while it runs.</summary>
    public string? Outcome { get; init; }

    /// <summary>Why the attempt ended without a result.</summary>
    public JobFailure? Failure { get; init; }

    /// <summary>Where the time of the attempt went; null while it runs.</summary>
    public JobLedger? Ledger { get; init; }
}

/// <summary>Where the time of an attempt went, in whole milliseconds. Staging, loading and busy together are exactly <see cref="LeaseMs"/>.</summary>
/// <param name="QueuedMs">From the submission, or the end of the attempt before, to the lease.</param>
/// <param name="StagingMs">Waiting for bytes.</param>
/// <param name="LoadingMs">From bytes in memory to an engine that can run.</param>
/// <param name="BusyMs">All the rest of the lease.</param>
public sealed record JobLedger(long QueuedMs, long StagingMs, long LoadingMs, long BusyMs)
{
    /// <summary>From the lease to its end: what the node was held for.</summary>
    public long LeaseMs => StagingMs + LoadingMs + BusyMs;
}

/// <summary>Progress in items.</summary>
/// <param name="Done">Items finished.</param>
/// <param name="Total">Items in all; 0 if not known yet.</param>
public sealed record JobProgress(int Done, int Total);

/// <summary>A committed result.</summary>
/// <param name="Key">Object-storage key of the results, one JSON object per line, in the order of the input.</param>
/// <param name="Items">Lines in it.</param>
/// <param name="Tokens">Tokens made by all items.</param>
public sealed record JobResult(string Key, int Items, long Tokens);

/// <summary>Why an attempt or a job failed.</summary>
/// <param name="Code">One of <see cref="ErrorCodes"/>.</param>
/// <param name="Message">Which thing, what was found, what was expected, what to do.</param>
/// <param name="Retryable">False if another attempt would fail the same way.</param>
public sealed record JobFailure(string Code, string Message, bool Retryable);

/// <summary>One row of <c>GET /api/jobs</c>.</summary>
public sealed record JobSummary(string Id, string Kind, JobState State, int Attempts, DateTimeOffset SubmittedAt, DateTimeOffset? EndedAt)
{
    /// <summary>Grows with every change of the job, so that a row that arrives late does not hide a newer one.</summary>
    public long Version { get; init; }
}

/// <summary>Argument of <c>JobIndexActor.List</c>.</summary>
/// <param name="After">The <see cref="JobList.Next"/> of the page before; null for the newest jobs.</param>
/// <param name="Limit">Rows at most, 1 to 500.</param>
/// <param name="State">Only jobs in this state; null for all.</param>
public sealed record JobListRequest(string? After, int Limit, JobState? State);

/// <summary>The answer of <c>GET /api/jobs</c>: newest first.</summary>
/// <param name="Jobs">One page.</param>
/// <param name="Next">Pass as <c>?after=</c> for the next page; null at the end.</param>
public sealed record JobList(IReadOnlyList<JobSummary> Jobs, string? Next);
