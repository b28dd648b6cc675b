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
        if (job.NotBefore is { } notBefore && time.GetUtcNow() < notBefore)
        {
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
            // The alarm before the state, as at submission: dying in between must not leave a lease that nobody looks after.
            await ArmAsync(job, Store.Spec);
            await SaveAsync(job);
            _watch = new LeaseWatch(attempt.Token, time);
            JobLog.Placed(logger, JobId, attempt.Number, attempt.Token, decision.Reason);

            var answer = await workers.OfferAsync(worker, RequestFor(attempt, model), CancellationToken.None);
            if (answer.Accepted)
            {
                slot.Accept(JobId, attempt.Token);
                await IndexAsync(job);
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
        if (job.Reason != reason)
        {
            JobLog.Waits(logger, JobId, reason);
            job = job with { Reason = reason };
            await SaveAsync(job);
        }

        await ArmAsync(job, Store.Spec);
        return job;
    }

    /// <summary>Has the node that the job will most likely run on stage its bytes meanwhile, once per node.</summary>
    private void Prefetch(ModelManifest? model)
    {
        var artifacts = Store.Spec.Artifacts?.Keys.ToArray() ?? [];
        if ((model is null && artifacts.Length == 0)
            || JobPlacementPolicy.Expect(Store.Spec, model, nodes.Views()) is not { } node
            || node.Worker == _prefetchedOn
            || (artifacts.Length == 0 && node.MissingBytes(model!) == 0))
        {
            return;
        }

        _prefetchedOn = node.Worker;
        var (worker, request) = (node.Worker, new PrefetchRequest(JobId, model, artifacts));
        errands.Add($"Staging for job {JobId} on {worker}", token => workers.PrefetchAsync(worker, request, token));
    }
}
