using Microsoft.Extensions.Options;
using Platform.Control.Models;
using Platform.Control.Nodes;
using Platform.Control.Placement;
using Platform.Dapr;
using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>The one truth about one job.</summary>
/// <remarks>
/// The order within every turn is: state first, then what follows from it (offer to a worker, row in the index). A process that dies in between leaves a state whose
/// next step the reminder takes again, and every step may be taken twice. The reminder is registered before the state exists and removed after the end is indexed.
/// </remarks>
internal sealed class JobActor(
    ActorHost host,
    IWorkerGateway workers,
    IModelCatalog models,
    IJobIndex index,
    NodeRegistry nodes,
    WaitingJobs waiting,
    TimeProvider time,
    IOptions<ControlOptions> options,
    ILogger<JobActor> logger) : Actor(host), IJobActor, IRemindable
{
    private const string ReminderName = "lease";
    private readonly ControlOptions _options = options.Value;
    private JobStore? _store;
    private LeaseWatch? _watch;
    private (TimeSpan Due, TimeSpan Period)? _armed;
    private long _indexedVersion;

    private string JobId => Id.Value;

    private JobStore Store => _store ??= new JobStore(StateManager);

    public async Task<SubmitAnswer> Submit(JobSpec spec)
    {
        spec = spec with { Id = JobId };
        if (await Store.LoadAsync() is { } known)
        {
            var same = SpecComparison.AreSame(spec, Store.Spec);
            if (!same)
            {
                JobLog.Conflict(logger, JobId);
            }

            return new SubmitAnswer(same ? SubmitOutcome.AlreadyKnown : SubmitOutcome.Conflict, known.ToStatus(Store.Spec));
        }

        var job = JobMoves.Submit(JobId, time.GetUtcNow());
        await ArmAsync(job, spec);
        await Store.CreateAsync(spec, job);
        JobLog.Submitted(logger, JobId, spec.Kind, spec.MaxAttempts);
        await IndexAsync(job);
        return new SubmitAnswer(SubmitOutcome.Created, job.ToStatus(spec));
    }

    public async Task<JobStatus?> Dispatch()
    {
        if (await Store.LoadAsync() is not { } job)
        {
            return null;
        }

        return (await AdvanceAsync(job)).ToStatus(Store.Spec);
    }

    public async Task<JobStatus?> Get() => (await Store.LoadAsync())?.ToStatus(Store.Spec);

    public async Task<JobStatus?> Cancel()
    {
        if (await Store.LoadAsync() is not { } job)
        {
            return null;
        }

        return (JobTransitions.IsTerminal(job.State) ? job : await EndAsync(JobMoves.Cancel(job, time.GetUtcNow()))).ToStatus(Store.Spec);
    }

    public async Task<TidyAnswer?> Tidy()
    {
        if (await Store.LoadAsync() is not { } job || !JobTransitions.IsTerminal(job.State) || nodes.Views().FirstOrDefault(node => node.Alive) is not { } node)
        {
            return null;
        }

        var answer = await workers.TidyAsync(node.Worker, JobId, job.State == JobState.Succeeded ? job.Attempts[^1].Token : null, CancellationToken.None);
        if (answer is { Objects: > 0 })
        {
            JobLog.Tidied(logger, JobId, answer.Objects, answer.LengthBytes);
        }

        return answer;
    }

    public async Task<LeaseAnswer> Started(LeaseReport report)
    {
        var job = await Store.LoadAsync();
        return Holds(job, report) ? Accept(await BeatAsync(job, report)) : Refuse(job, report, nameof(Started));
    }

    public async Task<LeaseAnswer> Heartbeat(LeaseReport report)
    {
        var job = await Store.LoadAsync();
        return Holds(job, report) ? Accept(await BeatAsync(job, report)) : Refuse(job, report, nameof(Heartbeat));
    }

    public async Task<LeaseAnswer> Complete(LeaseReport report)
    {
        var job = await Store.LoadAsync();
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

    public async Task<LeaseAnswer> Fail(LeaseReport report)
    {
        var job = await Store.LoadAsync();
        if (!Holds(job, report))
        {
            return Refuse(job, report, nameof(Fail));
        }

        job = JobMoves.Beat(job, report, time.GetUtcNow());
        var failure = report.Failure ?? new JobFailure(ErrorCodes.Internal, $"{report.Worker} failed without a reason.", true);
        return Accept(await EndAttemptAsync(job, JobOutcomes.Failed, failure));
    }

    public async Task ReceiveReminderAsync(string reminderName, byte[] state, TimeSpan dueTime, TimeSpan period)
    {
        var job = await Store.LoadAsync();
        if (job is not null)
        {
            job = await AdvanceAsync(job);
            await IndexAsync(job);
        }

        if (job is null || (JobTransitions.IsTerminal(job.State) && _indexedVersion == job.Version))
        {
            await UnregisterReminderAsync(ReminderName);
            _armed = null;
        }
    }

    /// <summary>Takes the next step that time or a free node allows: the deadline, a lost lease, a dispatch.</summary>
    private async Task<JobRecord> AdvanceAsync(JobRecord job)
    {
        if (JobTransitions.IsTerminal(job.State))
        {
            return job;
        }

        if (Store.Spec.DeadlineSeconds is { } seconds && time.GetUtcNow() >= job.SubmittedAt.AddSeconds(seconds))
        {
            var failure = new JobFailure(ErrorCodes.DeadlineExceeded, $"The job was {job.State} when its deadline of {seconds} s passed.", false);
            return await EndAsync(JobMoves.Refuse(job, failure, time.GetUtcNow()));
        }

        if (job.Current() is { } attempt)
        {
            job = await CheckLeaseAsync(job, attempt);
        }

        return job.State == JobState.Queued ? await DispatchAsync(job) : job;
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

    private async Task<JobRecord> DispatchAsync(JobRecord job)
    {
        if (job.NotBefore is { } notBefore && time.GetUtcNow() < notBefore)
        {
            return job;
        }

        // Before anything can fail: a job that waits is woken by the next free slot, whatever kept it from being placed.
        waiting.Add(JobId, job.SubmittedAt);
        ModelManifest? model = null;
        if (Store.Spec.Model is { } name)
        {
            model = await models.FindAsync(name, CancellationToken.None);
            if (model is null)
            {
                var failure = new JobFailure(ErrorCodes.ModelNotFound, $"Model '{name}' is not published. Publish it with 'platform models push', then submit the job again.", false);
                return await EndAsync(JobMoves.Refuse(job, failure, time.GetUtcNow()));
            }
        }

        var declined = new List<string>();
        var losers = job.Attempts.Where(attempt => attempt.Outcome == JobOutcomes.Lost).Select(attempt => attempt.Worker).ToArray();
        while (true)
        {
            var decision = JobPlacementPolicy.Choose(model, nodes.Views(), declined, losers);
            if (decision.Never)
            {
                return await EndAsync(JobMoves.Refuse(job, new JobFailure(ErrorCodes.NoWorker, decision.Reason, false), time.GetUtcNow()));
            }

            if (decision.Worker is not { } worker)
            {
                return await WaitAsync(job, decision.Reason);
            }

            using var slot = nodes.TryHoldSlot(worker);
            if (slot is null)
            {
                // Another job took the last slot between the choice and the hold; look again.
                continue;
            }

            job = JobMoves.Place(job, worker, decision.InstanceId!, decision.Reason, time.GetUtcNow());
            var attempt = job.Attempts[^1];
            // The alarm before the state, as at submission: dying in between must not leave a lease that nobody looks after.
            await ArmAsync(job, Store.Spec);
            await SaveAsync(job);
            _watch = new LeaseWatch(attempt.Token, time);
            JobLog.Placed(logger, JobId, attempt.Number, attempt.Token, decision.Reason);

            var answer = await workers.OfferAsync(worker, RequestFor(attempt, model), CancellationToken.None);
            if (answer.Accepted)
            {
                slot.Accept();
                waiting.Remove(JobId, job.SubmittedAt);
                await IndexAsync(job);
                return job;
            }

            declined.Add(worker);
            job = await WithdrawAsync(job, attempt, answer.Reason, TimeSpan.Zero);
        }
    }

    private RunJobRequest RequestFor(JobAttempt attempt, ModelManifest? model) => new()
    {
        JobId = JobId,
        Attempt = attempt.Number,
        Token = attempt.Token,
        Spec = Store.Spec,
        Model = model,
        HeartbeatMilliseconds = (int)_options.JobHeartbeat.TotalMilliseconds,
    };

    private async Task<JobRecord> WaitAsync(JobRecord job, string reason)
    {
        if (job.Reason != reason)
        {
            JobLog.Waits(logger, JobId, reason);
            job = job with { Reason = reason };
            await SaveAsync(job);
        }

        await ArmAsync(job, Store.Spec);
        return job;
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
            await IndexAsync(next);
        }

        return next;
    }

    private async Task<JobRecord> EndAttemptAsync(JobRecord job, string outcome, JobFailure failure)
    {
        var attempt = job.Attempts[^1];
        var delay = outcome == JobOutcomes.Lost ? TimeSpan.Zero : RetryDelayPolicy.Delay(job.Attempts.Count, _options);
        job = JobMoves.FailAttempt(job, outcome, failure, Store.Spec.MaxAttempts, delay, time.GetUtcNow());
        JobLog.AttemptEnded(logger, JobId, attempt.Number, attempt.Worker, outcome, failure.Message, job.State);
        if (JobTransitions.IsTerminal(job.State))
        {
            return await EndAsync(job);
        }

        await SaveAsync(job);
        await ArmAsync(job, Store.Spec);
        await IndexAsync(job);
        return job;
    }

    private async Task<JobRecord> EndAsync(JobRecord job)
    {
        await SaveAsync(job);
        waiting.Remove(JobId, job.SubmittedAt);
        JobLog.Ended(logger, JobId, job.State, job.Reason);
        await IndexAsync(job);
        return job;
    }

    private Task SaveAsync(JobRecord job) => Store.SaveAsync(job);

    /// <summary>Failure to index never fails the turn: the state is what counts, and the reminder stays until the row is there.</summary>
    private async Task IndexAsync(JobRecord job)
    {
        if (_indexedVersion == job.Version)
        {
            return;
        }

        try
        {
            await index.RecordAsync(job.ToSummary(Store.Spec), CancellationToken.None);
            _indexedVersion = job.Version;
        }
        catch (Exception fault) when (fault is DaprException or OperationCanceledException)
        {
            JobLog.NotIndexed(logger, JobId, fault.Message);
        }
    }

    /// <summary>Sets the reminder to the time at which the job must look at itself again.</summary>
    private async Task ArmAsync(JobRecord job, JobSpec spec)
    {
        var period = job.Current() is null ? _options.QueueRecheck : _options.LeaseCheck;
        var due = job.Current() is null ? _options.QueueCheck : _options.LeaseCheck;
        var now = time.GetUtcNow();
        if (job.NotBefore is { } notBefore && notBefore - now < due)
        {
            due = notBefore - now;
        }

        if (spec.DeadlineSeconds is { } seconds && job.SubmittedAt.AddSeconds(seconds) - now < due)
        {
            due = job.SubmittedAt.AddSeconds(seconds) - now;
        }

        due = due < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : due;
        if (_armed != (due, period))
        {
            await RegisterReminderAsync(ReminderName, null, due, period);
            _armed = (due, period);
        }
    }

    /// <summary>The watch of the current lease. One made by a new process starts now: it cannot know when the last heartbeat came.</summary>
    private LeaseWatch WatchOf(JobAttempt attempt) =>
        _watch is { } watch && watch.Token == attempt.Token ? watch : _watch = new LeaseWatch(attempt.Token, time);

    private static bool Holds([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] JobRecord? job, LeaseReport report) =>
        job?.Current() is { } attempt && attempt.Token == report.Token && attempt.Worker == report.Worker;

    private static LeaseAnswer Accept(JobRecord job) => new(true, false, job.State);

    private LeaseAnswer Refuse(JobRecord? job, LeaseReport report, string kind)
    {
        var state = job?.State ?? JobState.Cancelled;
        JobLog.RefusedReport(logger, JobId, kind, report.Worker, report.Token, state, job?.LastToken ?? 0);
        return new LeaseAnswer(false, state == JobState.Cancelled, state);
    }
}
