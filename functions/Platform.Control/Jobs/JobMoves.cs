using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Every change that a job can go through, as functions from record to record. The state changes in one place, <see cref="Move"/>, which asks <see cref="JobTransitions"/>.</summary>
/// <remarks>Times never go back within a job: the process that makes a move may have a slower clock than the one that made the move before.</remarks>
internal static class JobMoves
{
    /// <summary>The time of a move: <paramref name="now"/>, or the latest moment that the job has seen if that is later.</summary>
    public static DateTimeOffset Later(JobRecord job, DateTimeOffset now)
    {
        var attempt = job.Attempts.Count > 0 ? job.Attempts[^1] : null;
        foreach (var seen in (ReadOnlySpan<DateTimeOffset?>)[job.SubmittedAt, attempt?.PlacedAt, attempt?.StartedAt, attempt?.HeartbeatAt, attempt?.EndedAt, job.EndedAt])
        {
            now = seen > now ? seen.Value : now;
        }

        return now;
    }

    public static JobRecord Submit(string id, DateTimeOffset now) => new()
    {
        Id = id,
        State = JobState.Queued,
        Reason = "Waits for a node.",
        SubmittedAt = now,
        Version = 1,
    };

    /// <summary>Gives the lease to a worker, under a new token.</summary>
    public static JobRecord Place(JobRecord job, string worker, string instanceId, string reason, DateTimeOffset now, long priceMicrosPerHour = 0)
    {
        var attempt = new JobAttempt { Number = job.Attempts.Count + 1, Token = job.LastToken + 1, Worker = worker, PlacedAt = Later(job, now) };
        return Move(job, JobState.Placed, reason) with
        {
            Attempts = [.. job.Attempts, attempt],
            LastToken = attempt.Token,
            InstanceId = instanceId,
            NotBefore = null,
            PriceMicrosPerHour = priceMicrosPerHour,
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
        WithCurrent(Move(job, JobState.Running, job.Reason), attempt => attempt with { StartedAt = Later(job, now), HeartbeatAt = Later(job, now) });

    /// <summary>A sign of life, with what the worker has to tell.</summary>
    public static JobRecord Beat(JobRecord job, LeaseReport report, DateTimeOffset now) =>
        WithCurrent(job, attempt => attempt with { HeartbeatAt = Later(job, now) }) with
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
            Progress = job.Progress.Total > 0 ? new JobProgress(job.Progress.Total, job.Progress.Total) : new JobProgress(result.Items, result.Items),
        };

    /// <summary>An array job begins: its children do the work.</summary>
    public static JobRecord Coordinate(JobRecord job, JobArray array) =>
        WithChildren(Move(job, JobState.Running, "Its indexes run as jobs of their own."), new ArrayProgress().Fill(array));

    /// <summary>What the children of an array job have come to.</summary>
    public static JobRecord WithChildren(JobRecord job, ArrayProgress progress) => job with
    {
        Array = progress,
        Progress = new JobProgress(progress.Succeeded + progress.Failed + progress.Cancelled, job.Progress.Total),
        Version = job.Version + 1,
    };

    /// <summary>Every child of an array job has ended.</summary>
    public static JobRecord CompleteArray(JobRecord job, int size, DateTimeOffset now)
    {
        var children = job.Array!;
        if (children.Succeeded == size)
        {
            return End(job, JobState.Succeeded, $"All {size} indexes succeeded.", now) with { Result = new JobResult(ObjectKeys.JobFolder(job.Id + "-{index}"), size, children.Tokens) };
        }

        var some = string.Join(", ", children.FailedIndexes.Take(10));
        var message = $"{children.Failed} of {size} indexes failed and {children.Cancelled} were cancelled{(some.Length == 0 ? "" : $"; the first that failed: {some}")}. The job '{job.Id}-INDEX' of each says why.";
        return End(job, JobState.Failed, message, now) with { Failure = new JobFailure(ErrorCodes.ArrayFailed, message, false) };
    }

    /// <summary>A stopping node hands the lease back: the attempt is kept for the ledger and does not count.</summary>
    public static JobRecord Return(JobRecord job, string reason, DateTimeOffset now) =>
        Move(EndAttempt(job, JobOutcomes.Returned, null, now, 0), JobState.Queued, reason) with { InstanceId = null, NotBefore = null };

    /// <summary>The attempt failed or was lost: another one after <paramref name="delay"/>, or the end.</summary>
    public static JobRecord FailAttempt(JobRecord job, string outcome, JobFailure failure, int maxAttempts, TimeSpan delay, DateTimeOffset now, long silentMs = 0)
    {
        var ended = EndAttempt(job, outcome, failure, now, silentMs);
        var used = ended.UsedAttempts;
        if (!failure.Retryable)
        {
            return End(ended, JobState.Failed, $"Failed in attempt {job.Attempts.Count}, and another attempt would fail the same way.", now) with { Failure = failure };
        }

        if (used >= maxAttempts)
        {
            return End(ended, JobState.DeadLettered, $"All {maxAttempts} attempt(s) are used; the last one: {failure.Message}", now) with { Failure = failure };
        }

        return Move(ended, JobState.Queued, $"Attempt {used} of {maxAttempts} ended: {failure.Message}") with
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

    /// <summary>What an ended job still owes: its webhook, and its removal.</summary>
    public static JobRecord Owe(JobRecord job, JobSpec spec) => job with
    {
        Webhook = spec.Webhook is null ? null : new JobWebhookStatus(0, null, job.EndedAt, null),
        ExpiresAt = spec.TtlSeconds is { } seconds ? job.EndedAt!.Value.AddSeconds(seconds) : null,
    };

    private static JobRecord Move(JobRecord job, JobState to, string? reason) => JobTransitions.IsLegal(job.State, to)
        ? job with { State = to, Reason = reason, Version = job.Version + 1 }
        : throw new InvalidOperationException($"Job '{job.Id}' is {job.State} and cannot become {to}.");

    private static JobRecord End(JobRecord job, JobState to, string reason, DateTimeOffset now) =>
        Move(job, to, reason) with { EndedAt = Later(job, now), InstanceId = null, NotBefore = null };

    private static JobRecord EndAttempt(JobRecord job, string outcome, JobFailure? failure, DateTimeOffset now, long silentMs = 0) =>
        WithCurrent(job, attempt => attempt with { EndedAt = Later(job, now), Outcome = outcome, Failure = failure, Ledger = LedgerOf(job, attempt, Later(job, now), silentMs) });

    /// <summary>What the worker says is bounded by what the lease lasted, so that the parts always sum up to it.</summary>
    private static JobLedger LedgerOf(JobRecord job, JobAttempt attempt, DateTimeOffset now, long silentMs)
    {
        var queuedSince = job.Attempts.Count > 1 ? job.Attempts[^2].EndedAt ?? job.SubmittedAt : job.SubmittedAt;
        var lease = MillisecondsBetween(attempt.PlacedAt, now);
        var idle = Math.Clamp(MillisecondsBetween(attempt.PlacedAt, attempt.StartedAt ?? now) + silentMs, 0, lease);
        var staging = Math.Clamp(job.StagingMs, 0, lease - idle);
        var loading = Math.Clamp(job.LoadingMs, 0, lease - idle - staging);
        return new JobLedger(MillisecondsBetween(queuedSince, attempt.PlacedAt), staging, loading, lease - idle - staging - loading)
        {
            IdleWarmMs = idle,
            PriceMicrosPerHour = job.PriceMicrosPerHour,
        };
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
    public const string Returned = "returned";
}
