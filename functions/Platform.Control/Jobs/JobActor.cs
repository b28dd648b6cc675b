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
/// next step is taken again, and every step may be taken twice. A submission is one durable commit, the state. Until it is dispatched it is woken by its doorbell, which is
/// durable and rings until a dispatch has been answered, and by its place in the line; from the first dispatch on also by its reminder, which is registered before that
/// dispatch is answered and removed after the end is indexed and nothing is owed any more. The first turn after a restart takes up what the process before may have left undone.
/// Decision note 1 says why.
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
    private readonly ControlOptions _options = options.Value;
    private JobStore? _store;
    private LeaseWatch? _watch;
    private long _indexedVersion;
    private bool _isTakenUp;

    private string JobId => Id.Value;

    private JobStore Store => _store ??= new JobStore(StateManager);

    public async Task<SubmitAnswer> Submit(JobSpec spec)
    {
        spec = spec with { Id = JobId };
        if (await LoadAsync() is { } known)
        {
            var same = SpecComparison.AreSame(spec, Store.Spec);
            if (!same)
            {
                JobLog.Conflict(logger, JobId);
            }

            return new SubmitAnswer(same ? SubmitOutcome.AlreadyKnown : SubmitOutcome.Conflict, known.ToStatus(Store.Spec));
        }

        var job = JobMoves.Submit(JobId, time.GetUtcNow());
        if (spec.DeadlineSeconds is not null)
        {
            // Its end must come also if nobody ever dispatches it.
            await ArmAsync(job, spec);
        }

        await Store.CreateAsync(spec, job);
        JobLog.Submitted(logger, JobId, spec.Kind, spec.MaxAttempts);
        metrics.Submitted(spec.Kind);
        waiting.Add(Waiting(job));
        IndexLater(job);
        _isTakenUp = true;
        return new SubmitAnswer(SubmitOutcome.Created, job.ToStatus(spec));
    }

    public async Task<JobStatus?> Dispatch()
    {
        if (await LoadAsync() is not { } job)
        {
            return null;
        }

        return (await AdvanceAsync(job)).ToStatus(Store.Spec);
    }

    public async Task<JobStatus?> Get() => (await LoadAsync())?.ToStatus(Store.Spec);

    public async Task<JobStatus?> Cancel()
    {
        if (await LoadAsync() is not { } job)
        {
            return null;
        }

        return (JobTransitions.IsTerminal(job.State) ? job : await EndAsync(JobMoves.Cancel(job, time.GetUtcNow()))).ToStatus(Store.Spec);
    }

    /// <summary>The job; null if there is none. Once per activation it is taken up: the process before may have died before its row, its place in the line or its alarm.</summary>
    private async Task<JobRecord?> LoadAsync()
    {
        var job = await Store.LoadAsync();
        if (job is null || _isTakenUp)
        {
            return job;
        }

        if (job.Current() is not null || BackOff(job) > TimeSpan.Zero || (job.Array is not null && !JobTransitions.IsTerminal(job.State)))
        {
            await ArmAsync(job, Store.Spec);
        }
        else if (job.State == JobState.Queued)
        {
            waiting.Add(Waiting(job));
        }

        IndexLater(job);
        _isTakenUp = true;
        return job;
    }

    /// <summary>Takes the next step that time or a free node allows: the deadline, a lost lease, a dispatch.</summary>
    private async Task<JobRecord> AdvanceAsync(JobRecord job)
    {
        if (JobTransitions.IsTerminal(job.State))
        {
            return job;
        }

        if (Store.Spec.DeadlineSeconds is { } seconds && Now(job) >= job.SubmittedAt.AddSeconds(seconds))
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
        if (Volatile.Read(ref _indexedVersion) != job.Version)
        {
            await ArmAsync(job, Store.Spec);
        }

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

    /// <summary>Does not wait for the row: it follows in a moment, and whatever takes the job up again writes it too.</summary>
    private void IndexLater(JobRecord job) => _ = IndexAsync(job, isAwaited: false);

    /// <summary>Failure to index never fails the turn: the state is what counts, and the reminder stays until the row is there.</summary>
    private async Task IndexAsync(JobRecord job, bool isAwaited = true)
    {
        if (Volatile.Read(ref _indexedVersion) == job.Version)
        {
            return;
        }

        try
        {
            var row = job.ToSummary(Store.Spec);
            await (isAwaited ? index.RecordAsync(row, CancellationToken.None) : index.RecordLaterAsync(row, CancellationToken.None));
            Volatile.Write(ref _indexedVersion, Math.Max(job.Version, Volatile.Read(ref _indexedVersion)));
        }
        catch (Exception fault) when (fault is DaprException or OperationCanceledException)
        {
            JobLog.NotIndexed(logger, JobId, fault.Message);
        }
    }
}
