using Microsoft.Extensions.Options;
using Platform.Control.Models;
using Platform.Control.Nodes;
using Platform.Dapr;
using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>The one truth about one job: what clients ask of it, and what time does to it. Leases, dispatch, children and what follows the end have files of their own.</summary>
/// <remarks>
/// The order within every turn is: state first, then what follows from it (offer to a worker, row in the index). A process that dies in between leaves a state whose
/// next step the reminder takes again, and every step may be taken twice. The reminder is registered before the state exists and removed after the end is indexed
/// and nothing is owed any more.
/// </remarks>
internal sealed partial class JobActor(
    ActorHost host,
    IWorkerGateway workers,
    IModelCatalog models,
    IJobIndex index,
    NodeRegistry nodes,
    WaitingJobs waiting,
    Errands errands,
    WebhookSender webhooks,
    ActorProxyFactory actors,
    ControlMetrics metrics,
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
        metrics.Submitted(spec.Kind);
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

    public async Task ReceiveReminderAsync(string reminderName, byte[] state, TimeSpan dueTime, TimeSpan period)
    {
        var job = await Store.LoadAsync();
        if (job is not null)
        {
            job = await AdvanceAsync(job);
            await IndexAsync(job);
        }

        if (job is not null && JobTransitions.IsTerminal(job.State))
        {
            job = await PayAsync(job);
        }

        if (job is null || (JobTransitions.IsTerminal(job.State) && _indexedVersion == job.Version && NextDebt(job) is null))
        {
            await UnregisterReminderAsync(ReminderName);
            _armed = null;
        }
        else if (JobTransitions.IsTerminal(job.State) && _indexedVersion == job.Version)
        {
            await ArmAsync(job, Store.Spec);
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

        return job.State == JobState.Queued ? await DispatchAsync(job)
            : job is { State: JobState.Running, Array: not null } ? await CoordinateAsync(job)
            : job;
    }

    private async Task<JobRecord> EndAttemptAsync(JobRecord job, string outcome, JobFailure failure)
    {
        var attempt = job.Attempts[^1];
        var isLost = outcome == JobOutcomes.Lost;
        var delay = isLost ? TimeSpan.Zero : RetryDelayPolicy.Delay(job.UsedAttempts, Store.Spec.Retry, _options);
        if (RetryDelayPolicy.IsFinal(failure, Store.Spec.Retry))
        {
            failure = failure with { Retryable = false };
        }

        job = JobMoves.FailAttempt(job, outcome, failure, Store.Spec.MaxAttempts, delay, time.GetUtcNow(), isLost ? (long)WatchOf(attempt).Silence.TotalMilliseconds : 0);
        JobLog.AttemptEnded(logger, JobId, attempt.Number, attempt.Worker, outcome, failure.Message, job.State);
        if (JobTransitions.IsTerminal(job.State))
        {
            return await EndAsync(job);
        }

        await SaveAsync(job);
        Released(job, attempt);
        await ArmAsync(job, Store.Spec);
        await IndexAsync(job);
        return job;
    }

    private async Task<JobRecord> EndAsync(JobRecord job)
    {
        job = JobMoves.Owe(job, Store.Spec);
        if (NextDebt(job) is not null)
        {
            // The alarm before the state: the process may die before it pays.
            await ArmAsync(job, Store.Spec);
        }

        await SaveAsync(job);
        waiting.Remove(Waiting(job));
        metrics.Ended(job.State);
        JobLog.Ended(logger, JobId, job.State, job.Reason);
        if (job.Attempts is [.., var attempt] && attempt.EndedAt == job.EndedAt)
        {
            Released(job, attempt);
        }

        await IndexAsync(job);
        TellParent(job);
        if (job.Array is { } children)
        {
            CancelChildren(children.Open);
        }

        return job;
    }

    /// <summary>An attempt is over: what it held of its node is free.</summary>
    private void Released(JobRecord job, JobAttempt attempt)
    {
        nodes.End(attempt.Worker, JobId, attempt.Token);
        metrics.AttemptEnded(Store.Spec.Kind, job.Attempts[^1]);
    }

    private WaitingJob Waiting(JobRecord job) => new(Store.Spec.Priority, job.SubmittedAt, JobId);

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
        var now = time.GetUtcNow();
        var (due, period) = job.Current() is not null ? (_options.LeaseCheck, _options.LeaseCheck)
            : JobTransitions.IsTerminal(job.State) ? ((NextDebt(job) ?? now) - now, _options.QueueCheck)
            : job.Array is not null ? (_options.ArrayCheck, _options.ArrayCheck)
            : (_options.QueueCheck, _options.QueueRecheck);
        if (job.NotBefore is { } notBefore && notBefore - now < due)
        {
            due = notBefore - now;
        }

        if (!JobTransitions.IsTerminal(job.State) && spec.DeadlineSeconds is { } seconds && job.SubmittedAt.AddSeconds(seconds) - now < due)
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
}
