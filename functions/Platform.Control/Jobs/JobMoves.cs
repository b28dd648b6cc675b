using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Every change that a job can go through, as functions from record to record. The state changes in one place, <see cref="Move"/>, which asks <see cref="JobTransitions"/>.</summary>
internal static class JobMoves
{
    public static JobRecord Submit(string id, DateTimeOffset now) => new()
    {
        Id = id,
        State = JobState.Queued,
        Reason = "Waits for a node.",
        SubmittedAt = now,
        Version = 1,
    };

    /// <summary>Gives the lease to a worker, under a new token.</summary>
    public static JobRecord Place(JobRecord job, string worker, string instanceId, string reason, DateTimeOffset now)
    {
        var attempt = new JobAttempt { Number = job.Attempts.Count + 1, Token = job.LastToken + 1, Worker = worker, PlacedAt = now };
        return Move(job, JobState.Placed, reason) with
        {
            Attempts = [.. job.Attempts, attempt],
            LastToken = attempt.Token,
            InstanceId = instanceId,
            NotBefore = null,
            StagingMs = 0,
            LoadingMs = 0,
        };
    }

    /// <summary>Takes back a lease under which nothing ran: the worker declined it or never started. The attempt does not count; its token stays used.</summary>
    public static JobRecord Withdraw(JobRecord job, string reason, DateTimeOffset? notBefore) => Move(job, JobState.Queued, reason) with
    {
        Attempts = [.. job.Attempts.SkipLast(1)],
        InstanceId = null,
        NotBefore = notBefore,
    };

    /// <summary>The worker says that it runs.</summary>
    public static JobRecord Start(JobRecord job, DateTimeOffset now) =>
        WithCurrent(Move(job, JobState.Running, job.Reason), attempt => attempt with { StartedAt = now, HeartbeatAt = now });

    /// <summary>A sign of life, with what the worker has to tell.</summary>
    public static JobRecord Beat(JobRecord job, LeaseReport report, DateTimeOffset now) =>
        WithCurrent(job, attempt => attempt with { HeartbeatAt = now }) with
        {
            Progress = report.Progress ?? job.Progress,
            StagingMs = Math.Max(job.StagingMs, report.StagingMs),
            LoadingMs = Math.Max(job.LoadingMs, report.LoadingMs),
        };

    /// <summary>The result is committed.</summary>
    public static JobRecord Complete(JobRecord job, JobResult result, DateTimeOffset now) =>
        End(EndAttempt(job, JobOutcomes.Succeeded, null, now), JobState.Succeeded, $"Finished by {job.Attempts[^1].Worker} in attempt {job.Attempts[^1].Number}.", now) with
        {
            Result = result,
            Progress = new JobProgress(result.Items, result.Items),
        };

    /// <summary>The attempt failed or was lost: another one after <paramref name="delay"/>, or the end.</summary>
    public static JobRecord FailAttempt(JobRecord job, string outcome, JobFailure failure, int maxAttempts, TimeSpan delay, DateTimeOffset now)
    {
        var ended = EndAttempt(job, outcome, failure, now);
        if (!failure.Retryable)
        {
            return End(ended, JobState.Failed, $"Failed in attempt {job.Attempts.Count}, and another attempt would fail the same way.", now) with { Failure = failure };
        }

        if (job.Attempts.Count >= maxAttempts)
        {
            return End(ended, JobState.DeadLettered, $"All {maxAttempts} attempt(s) are used; the last one: {failure.Message}", now) with { Failure = failure };
        }

        return Move(ended, JobState.Queued, $"Attempt {job.Attempts.Count} of {maxAttempts} ended: {failure.Message}") with
        {
            InstanceId = null,
            NotBefore = delay > TimeSpan.Zero ? now + delay : null,
        };
    }

    /// <summary>Ends a job for a reason that no attempt can mend: no such model, no node that could ever take it, deadline passed.</summary>
    public static JobRecord Refuse(JobRecord job, JobFailure failure, DateTimeOffset now) =>
        End(job.Current() is null ? job : EndAttempt(job, JobOutcomes.Failed, failure, now), JobState.Failed, failure.Message, now) with { Failure = failure };

    /// <summary>The user's word. The worker that holds the lease learns it with its next report.</summary>
    public static JobRecord Cancel(JobRecord job, DateTimeOffset now) =>
        End(job.Current() is null ? job : EndAttempt(job, JobOutcomes.Cancelled, null, now), JobState.Cancelled, "Cancelled on request.", now);

    private static JobRecord Move(JobRecord job, JobState to, string? reason) => JobTransitions.IsLegal(job.State, to)
        ? job with { State = to, Reason = reason, Version = job.Version + 1 }
        : throw new InvalidOperationException($"Job '{job.Id}' is {job.State} and cannot become {to}.");

    private static JobRecord End(JobRecord job, JobState to, string reason, DateTimeOffset now) =>
        Move(job, to, reason) with { EndedAt = now, InstanceId = null, NotBefore = null };

    private static JobRecord EndAttempt(JobRecord job, string outcome, JobFailure? failure, DateTimeOffset now) =>
        WithCurrent(job, attempt => attempt with { EndedAt = now, Outcome = outcome, Failure = failure, Ledger = LedgerOf(job, attempt, now) });

    /// <summary>What the worker says is bounded by what the lease lasted, so that the parts always sum up to it.</summary>
    private static JobLedger LedgerOf(JobRecord job, JobAttempt attempt, DateTimeOffset now)
    {
        var queuedSince = job.Attempts.Count > 1 ? job.Attempts[^2].EndedAt ?? job.SubmittedAt : job.SubmittedAt;
        var lease = MillisecondsBetween(attempt.PlacedAt, now);
        var staging = Math.Clamp(job.StagingMs, 0, lease);
        var loading = Math.Clamp(job.LoadingMs, 0, lease - staging);
        return new JobLedger(MillisecondsBetween(queuedSince, attempt.PlacedAt), staging, loading, lease - staging - loading);
    }

    private static long MillisecondsBetween(DateTimeOffset from, DateTimeOffset to) => Math.Max(0, to.ToUnixTimeMilliseconds() - from.ToUnixTimeMilliseconds());

    private static JobRecord WithCurrent(JobRecord job, Func<JobAttempt, JobAttempt> change) =>
        job with { Attempts = [.. job.Attempts.SkipLast(1), change(job.Attempts[^1])], Version = job.Version + 1 };
}

/// <summary>Values of <see cref="JobAttempt.Outcome"/>.</summary>
internal static class JobOutcomes
{
    public const string Succeeded = "succeeded";
    public const string Failed = "failed";
    public const string Lost = "lost";
    public const string Cancelled = "cancelled";
}
