using Platform.Control.Placement;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Dispatch: the way of a waiting job to a node.</summary>
internal sealed partial class JobActor
{
    /// <summary>Where the bytes of this job were asked to go while it waits.</summary>
    private string? _prefetchedOn;

    private async Task<JobRecord> DispatchAsync(JobRecord job)
    {
        if (BackOff(job) > TimeSpan.Zero)
        {
            await ArmAsync(job, Store.Spec);
            return job;
        }

        if (Store.Spec.Array is not null)
        {
            return await BeginArrayAsync(job);
        }

        // Before anything can fail: a job that waits is woken by the next free slot, whatever kept it from being placed.
        waiting.Add(Waiting(job));
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

        return await PlaceAsync(job, model);
    }

    private async Task<JobRecord> PlaceAsync(JobRecord job, ModelManifest? model)
    {
        var (declined, self) = (new List<string>(), Waiting(job));
        var losers = job.Attempts.Where(attempt => attempt.Outcome == JobOutcomes.Lost).Select(attempt => attempt.Worker).ToArray();
        while (true)
        {
            var slots = nodes.FreeJobSlots();
            var decision = JobPlacementPolicy.Choose(Store.Spec, model, nodes.Views(), declined, losers);
            if (decision.Never && nodes.IsSettled)
            {
                var failure = new JobFailure(decision.WrongKind && Store.Spec.Kind == JobKinds.Exec ? ErrorCodes.ExecDisabled : ErrorCodes.NoWorker, decision.Reason, false);
                return await EndAsync(JobMoves.Refuse(job, failure, time.GetUtcNow()));
            }

            if (decision.Worker is not { } worker)
            {
                // With a slot free somewhere it is not its turn that it waits for: others may pass.
                waiting.Add(self, isStuck: slots > 0);
                return await WaitAsync(job, model, decision.Reason);
            }

            if (waiting.IsBehind(self, slots))
            {
                return await WaitAsync(job, model, $"Waits for its turn: {slots} slot(s) are free, and as many jobs of a higher priority or an earlier submission come first.");
            }

            waiting.Remove(self);
            using var slot = nodes.TryHoldSlot(worker, JobNeeds.Of(Store.Spec));
            if (slot is null)
            {
                // Another job took the last slot between the choice and the hold; look again.
                waiting.Add(self);
                continue;
            }

            job = JobMoves.Place(job, worker, decision.InstanceId!, decision.Reason, time.GetUtcNow(), nodes.PriceOf(worker));
            var attempt = job.Attempts[^1];
            await SaveAsync(job);
            _watch = new LeaseWatch(attempt.Token, time);
            JobLog.Placed(logger, JobId, attempt.Number, attempt.Token, decision.Reason);

            // The alarm while the worker makes up its mind. Dying in between leaves a lease without alarm for whoever calls next to take up: the worker, the doorbell that got no answer, or the new process.
            var armed = ArmAsync(job, Store.Spec);
            var answer = await workers.OfferAsync(worker, RequestFor(attempt, model), CancellationToken.None);
            await armed;
            if (answer.Accepted)
            {
                slot.Accept(JobId, attempt.Token);
                IndexLater(job);
                return job;
            }

            declined.Add(worker);
            waiting.Add(self);
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

    private async Task<JobRecord> WaitAsync(JobRecord job, ModelManifest? model, string reason)
    {
        Prefetch(model);
        IndexLater(job);
        if (job.Reason != reason)
        {
            JobLog.Waits(logger, JobId, reason);
            job = job with { Reason = reason };
            await SaveAsync(job);
        }

        await ArmAsync(job, Store.Spec);
        return job;
    }

    /// <summary>Has the node that the job will most likely run on stage its bytes meanwhile, and say whether all of its objects exist; once per node.</summary>
    private void Prefetch(ModelManifest? model)
    {
        var (artifacts, input) = (Store.Spec.Artifacts?.Keys.ToArray() ?? [], Store.Spec.Input);
        if ((model is null && artifacts.Length == 0 && input is null)
            || JobPlacementPolicy.Expect(Store.Spec, model, nodes.Views()) is not { } node
            || node.Worker == _prefetchedOn
            || (artifacts.Length == 0 && input is null && node.MissingBytes(model!) == 0))
        {
            return;
        }

        _prefetchedOn = node.Worker;
        var (id, worker, request) = (JobId, node.Worker, new PrefetchRequest(JobId, model, artifacts) { Input = input });
        errands.Add($"Staging for job {id} on {worker}", async token =>
        {
            if (await workers.PrefetchAsync(worker, request, token) is { Keys.Count: > 0 } missing)
            {
                await actors.CreateActorProxy(AppIds.JobActor, id).InvokeMethodAsync(nameof(IJobActor.ObjectsMissing), missing, JobsJson.Default.MissingObjects, token);
            }
        });
    }

    public async Task<JobStatus?> ObjectsMissing(MissingObjects missing)
    {
        if (await LoadAsync() is not { } job)
        {
            return null;
        }

        // One that a worker holds by now finds out by itself.
        return (job.State == JobState.Queued ? await EndAsync(JobMoves.Refuse(job, missing.ToFailure(), time.GetUtcNow())) : job).ToStatus(Store.Spec);
    }
}
