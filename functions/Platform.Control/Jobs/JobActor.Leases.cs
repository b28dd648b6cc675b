using System.Diagnostics.CodeAnalysis;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Leases: what workers say under their tokens, and what their silence means.</summary>
internal sealed partial class JobActor
{
    public async Task<LeaseAnswer> Started(LeaseReport report)
    {
        var job = await LoadAsync();
        return Holds(job, report) ? Accept(await BeatAsync(job, report)) : Refuse(job, report, nameof(Started));
    }

    public async Task<LeaseAnswer> Heartbeat(LeaseReport report)
    {
        var job = await LoadAsync();
        return Holds(job, report) ? Accept(await BeatAsync(job, report)) : Refuse(job, report, nameof(Heartbeat));
    }

    public async Task<LeaseAnswer> Complete(LeaseReport report)
    {
        var job = await LoadAsync();
        if (job is { State: JobState.Succeeded } && job.Attempts[^1].Token == report.Token)
        {
            // The worker did not hear the first answer. What it wrote under this token is the result.
            return Accept(job);
        }

        if (!Holds(job, report))
        {
            return Refuse(job, report, nameof(Complete));
        }

        var failure = new JobFailure(ErrorCodes.Internal, $"{report.Worker} completed the job without naming a result.", true);
        job = JobMoves.Beat(job, report, time.GetUtcNow());
        return Accept(report.Result is { } result
            ? await EndAsync(JobMoves.Complete(job, result, time.GetUtcNow()))
            : await EndAttemptAsync(job, JobOutcomes.Failed, failure));
    }

    public async Task<LeaseAnswer> Return(LeaseReport report)
    {
        var job = await LoadAsync();
        if (!Holds(job, report))
        {
            return Refuse(job, report, nameof(Return));
        }

        var reason = $"{report.Worker} handed the job back: {(report.Reason ?? "it stops").TrimEnd('.')}.";
        job = JobMoves.Return(JobMoves.Beat(job, report, time.GetUtcNow()), reason, time.GetUtcNow());
        await SaveAsync(job);
        JobLog.Returned(logger, JobId, report.Token, report.Worker, reason);
        Released(job, job.Attempts[^1]);
        waiting.Add(Waiting(job));
        await ArmAsync(job, Store.Spec);
        await IndexAsync(job);
        return Accept(job);
    }

    public async Task<LeaseAnswer> Fail(LeaseReport report)
    {
        var job = await LoadAsync();
        if (!Holds(job, report))
        {
            return Refuse(job, report, nameof(Fail));
        }

        job = JobMoves.Beat(job, report, time.GetUtcNow());
        var failure = report.Failure ?? new JobFailure(ErrorCodes.Internal, $"{report.Worker} failed without a reason.", true);
        return Accept(await EndAttemptAsync(job, JobOutcomes.Failed, failure));
    }

    private async Task<JobRecord> CheckLeaseAsync(JobRecord job, JobAttempt attempt)
    {
        var watch = WatchOf(attempt);
        string? lost = null;
        if (job.InstanceId is { } instance && nodes.HasRestarted(attempt.Worker, instance))
        {
            lost = $"{attempt.Worker} was restarted.";
        }
        else if (watch.IsLost(_options.Lease))
        {
            lost = $"{attempt.Worker} sent no heartbeat for {watch.Silence.TotalSeconds:0.0} s; the lease is {_options.Lease.TotalSeconds:0.0} s.";
        }

        if (lost is null)
        {
            return job;
        }

        if (job.State == JobState.Placed)
        {
            // It never said Started, so by the protocol it has done nothing.
            return await WithdrawAsync(job, attempt, lost, TimeSpan.Zero);
        }

        return await EndAttemptAsync(job, JobOutcomes.Lost, new JobFailure(ErrorCodes.LeaseLost, lost, true));
    }

    private async Task<JobRecord> WithdrawAsync(JobRecord job, JobAttempt attempt, string reason, TimeSpan delay)
    {
        reason = reason.TrimEnd('.');
        job = JobMoves.Withdraw(job, $"Waits again: {reason}.", delay > TimeSpan.Zero ? time.GetUtcNow() + delay : null);
        await SaveAsync(job);
        JobLog.Withdrawn(logger, JobId, attempt.Token, reason);
        return job;
    }

    private async Task<JobRecord> BeatAsync(JobRecord job, LeaseReport report)
    {
        var attempt = job.Current()!;
        WatchOf(attempt).Beat();
        var starts = job.State == JobState.Placed;
        var next = starts ? JobMoves.Start(job, time.GetUtcNow()) : job;
        next = JobMoves.Beat(next, report, time.GetUtcNow());
        if (!starts && (next.Progress, next.StagingMs, next.LoadingMs) == (job.Progress, job.StagingMs, job.LoadingMs))
        {
            // Nothing but a sign of life: the watch in memory is enough, and a new process gives every lease its full time again.
            return job;
        }

        await SaveAsync(next);
        if (starts)
        {
            JobLog.Started(logger, JobId, attempt.Worker, attempt.Number, attempt.Token);
            IndexLater(next);
        }

        return next;
    }

    /// <summary>The watch of the current lease. One made by a new process starts now: it cannot know when the last heartbeat came.</summary>
    private LeaseWatch WatchOf(JobAttempt attempt) =>
        _watch is { } watch && watch.Token == attempt.Token ? watch : _watch = new LeaseWatch(attempt.Token, time);

    private static bool Holds([NotNullWhen(true)] JobRecord? job, LeaseReport report) =>
        job?.Current() is { } attempt && attempt.Token == report.Token && attempt.Worker == report.Worker;

    private static LeaseAnswer Accept(JobRecord job) => new(true, false, job.State);

    private LeaseAnswer Refuse(JobRecord? job, LeaseReport report, string kind)
    {
        var state = job?.State ?? JobState.Cancelled;
        metrics.ReportRefused();
        JobLog.RefusedReport(logger, JobId, kind, report.Worker, report.Token, state, job?.LastToken ?? 0);
        return new LeaseAnswer(false, state == JobState.Cancelled, state);
    }
}
