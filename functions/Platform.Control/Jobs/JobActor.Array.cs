using Platform.Dapr;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Array jobs: the parent submits its children within the parallelism limit and counts their ends.</summary>
/// <remarks>
/// Its state says which children are to exist. They are submitted after that, and again at every check: a submission that is known changes nothing, and its answer tells an end that was not
/// heard. That is also why no child is removed before its parent: it would be submitted, and run, once more. They live as long as the parent does, and go before it.
/// </remarks>
internal sealed partial class JobActor
{
    private const string IndexMark = "{index}";

    /// <summary>Children that one look removes at most, and how many at once: the turn waits for them.</summary>
    private const int MaxForgotten = 256;
    private const int ForgottenAtOnce = 16;

    public async Task<JobStatus?> ChildEnded(ChildReport child)
    {
        if (await LoadAsync() is not { Array: { } children } job)
        {
            return null;
        }

        if (!children.Open.Contains(child.Index))
        {
            return job.ToStatus(Store.Spec);
        }

        job = JobMoves.WithChildren(job, children.Take(child));
        if (!JobTransitions.IsTerminal(job.State))
        {
            return (await CoordinateAsync(job, isChanged: true)).ToStatus(Store.Spec);
        }

        await SaveAsync(job);
        return job.ToStatus(Store.Spec);
    }

    public async Task<JobStatus?> Forget(JobArrayMember member) =>
        await LoadAsync() is { } job && Store.Spec.Member == member && Store.Spec.RetryOf is null && JobTransitions.IsTerminal(job.State)
            ? (await RemoveAsync(job))?.ToStatus(Store.Spec)
            : null;

    /// <summary>Removes further children; the state says how far that has come.</summary>
    private async Task<JobRecord> ForgetChildrenAsync(JobRecord job)
    {
        var children = job.Array!;
        var (gone, last) = (children.Forgotten, Math.Min(children.Submitted, children.Forgotten + MaxForgotten));
        try
        {
            while (gone < last)
            {
                var some = Enumerable.Range(gone, Math.Min(ForgottenAtOnce, last - gone)).ToArray();
                if ((await Task.WhenAll(some.Select(ForgetChildAsync))).Any(left => left is not null))
                {
                    break;
                }

                gone += some.Length;
            }
        }
        catch (DaprException fault)
        {
            JobLog.ErrandFailed(logger, $"Removal of the children of {JobId}", fault.Message);
        }

        if (gone > children.Forgotten)
        {
            job = job with { Array = children with { Forgotten = gone } };
            await SaveAsync(job);
        }

        return job;
    }

    private Task<JobStatus?> ForgetChildAsync(int index) => actors.CreateActorProxy(AppIds.JobActor, JobSpecValidation.ChildId(JobId, index)).InvokeMethodAsync<JobArrayMember, JobStatus?>(
        nameof(IJobActor.Forget), new JobArrayMember(JobId, index, Store.Spec.Array!.Size), JobsJson.Default.JobArrayMember, JobsJson.Default.JobStatus!, CancellationToken.None);

    private async Task<JobRecord> BeginArrayAsync(JobRecord job)
    {
        var array = Store.Spec.Array!;
        job = JobMoves.Coordinate(job with { Progress = new JobProgress(0, array.Size) }, array);
        await ArmAsync(job, Store.Spec);
        await SaveAsync(job);
        waiting.Remove(Waiting(job));
        await IndexAsync(job);
        SubmitChildren(job.Array!.Open);
        return job;
    }

    /// <summary>Opens further indexes, or ends the parent with the last; looks after those that are open.</summary>
    private async Task<JobRecord> CoordinateAsync(JobRecord job, bool isChanged = false)
    {
        var array = Store.Spec.Array!;
        var filled = job.Array!.Fill(array);
        if (filled.Open.Count == 0)
        {
            return await EndAsync(JobMoves.CompleteArray(job, array.Size, time.GetUtcNow()));
        }

        var added = filled.Open.Except(job.Array.Open).ToArray();
        if (isChanged || added.Length > 0)
        {
            job = added.Length > 0 ? JobMoves.WithChildren(job, filled) : job;
            await SaveAsync(job);
        }

        SubmitChildren(isChanged ? added : filled.Open);
        await ArmAsync(job, Store.Spec);
        return job;
    }

    private void SubmitChildren(IReadOnlyList<int> indexes)
    {
        foreach (var number in indexes)
        {
            var (id, spec) = (JobSpecValidation.ChildId(JobId, number), ChildSpec(number));
            errands.Add($"Submission of {id}", async token =>
            {
                var child = actors.CreateActorProxy(AppIds.JobActor, id);
                var answer = await child.InvokeMethodAsync(nameof(IJobActor.Submit), spec, JobsJson.Default.JobSpec, JobsJson.Default.SubmitAnswer, token);
                if (answer.Outcome == SubmitOutcome.Conflict)
                {
                    await TellAsync(JobId, new ChildReport(number, JobState.Failed, 0), token);
                }
                else if (JobTransitions.IsTerminal(answer.Status.State))
                {
                    await TellAsync(JobId, new ChildReport(number, answer.Status.State, answer.Status.Result?.Tokens ?? 0), token);
                }
                else if (answer.Status.State == JobState.Queued)
                {
                    await child.InvokeMethodAsync(nameof(IJobActor.Dispatch), token);
                }
            });
        }
    }

    /// <summary>The parent has ended before its children: they end too.</summary>
    /// <remarks>Each is submitted first: one whose submission is still on its way would begin after its parent's end.</remarks>
    private void CancelChildren(IReadOnlyList<int> indexes)
    {
        foreach (var number in indexes)
        {
            var (id, spec) = (JobSpecValidation.ChildId(JobId, number), ChildSpec(number));
            errands.Add($"Cancellation of {id}", async token =>
            {
                var child = actors.CreateActorProxy(AppIds.JobActor, id);
                var known = await child.InvokeMethodAsync(nameof(IJobActor.Submit), spec, JobsJson.Default.JobSpec, JobsJson.Default.SubmitAnswer, token);
                var status = known.Outcome == SubmitOutcome.Conflict ? null : await child.InvokeMethodAsync<JobStatus?>(nameof(IJobActor.Cancel), JobsJson.Default.JobStatus!, token);
                await TellAsync(JobId, new ChildReport(number, status?.State ?? JobState.Cancelled, status?.Result?.Tokens ?? 0), token);
            });
        }
    }

    /// <summary>A child tells its end at once; if that is lost, the parent asks at its next check.</summary>
    private void TellParent(JobRecord job)
    {
        if (Store.Spec is { Member: { } member, RetryOf: null })
        {
            var report = new ChildReport(member.Index, job.State, job.Result?.Tokens ?? 0);
            errands.Add($"The end of {JobId} for {member.Parent}", token => TellAsync(member.Parent, report, token));
        }
    }

    private Task TellAsync(string parent, ChildReport report, CancellationToken cancellationToken) =>
        actors.CreateActorProxy(AppIds.JobActor, parent).InvokeMethodAsync(nameof(IJobActor.ChildEnded), report, JobsJson.Default.ChildReport, cancellationToken);

    private JobSpec ChildSpec(int index)
    {
        var (spec, number) = (Store.Spec, index.ToString(System.Globalization.CultureInfo.InvariantCulture));
        string Of(string text) => text.Replace(IndexMark, number, StringComparison.Ordinal);
        return spec with
        {
            Id = JobSpecValidation.ChildId(JobId, index),
            Array = null,
            Webhook = null,
            TtlSeconds = null,
            RetryOf = null,
            Member = new JobArrayMember(JobId, index, spec.Array!.Size),
            Input = spec.Input is null ? null : Of(spec.Input),
            Command = spec.Command?.Select(Of).ToArray(),
            Environment = spec.Environment?.ToDictionary(variable => variable.Key, variable => Of(variable.Value)),
            Artifacts = spec.Artifacts?.ToDictionary(artifact => Of(artifact.Key), artifact => artifact.Value),
        };
    }
}
