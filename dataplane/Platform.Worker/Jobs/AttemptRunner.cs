using Platform.Dapr;
using Platform.DataPlane;
using Platform.Jobs;
using Platform.Worker.Engines;
using Platform.Worker.Http;

namespace Platform.Worker.Jobs;

/// <summary>Runs one attempt from the first report to the last: nothing is done before <c>Started</c> is accepted, and nothing counts before <c>Complete</c> is.</summary>
internal sealed class AttemptRunner(IEnumerable<IJobHandler> handlers, ILeaseReporter reporter, AttemptLogs logs, WorkerNode node, WorkerMetrics metrics, TimeProvider time, ILogger<AttemptRunner> logger)
{
    /// <summary>Between two tries of a report that did not arrive.</summary>
    private static readonly TimeSpan RetryReport = TimeSpan.FromMilliseconds(300);

    /// <summary>For what must still be said and removed when the process stops.</summary>
    private static readonly TimeSpan CleanUpTime = TimeSpan.FromSeconds(5);
    private readonly Dictionary<string, IJobHandler> _handlers = handlers.ToDictionary(handler => handler.Kind);

    /// <summary>Never throws: whatever happens is reported, logged, or found out by the lease.</summary>
    public async Task RunAsync(RunJobRequest request, CancellationToken stop, IReadOnlyList<int>? devices = null)
    {
        try
        {
            var answer = await SayAsync(request, "Started", reporter.StartedAsync, new LeaseReport { Token = request.Token, Worker = node.Name }, stop);
            if (answer.Accepted)
            {
                await RunStartedAsync(request, devices ?? [], stop);
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            JobLog.Stops(logger, request.JobId, request.Attempt, request.Token, "the node stops.");
        }
        catch (Exception fault)
        {
            JobLog.Failed(logger, fault, request.JobId, request.Attempt);
        }
    }

    private async Task RunStartedAsync(RunJobRequest request, IReadOnlyList<int> devices, CancellationToken stop)
    {
        using (var log = logs.Create(request.JobId, request.Attempt))
        {
            log.Write($"Attempt {request.Attempt} of job {request.JobId} ({request.Spec.Kind}) starts on {node.Name}, token {request.Token}.");
            var context = new JobContext(request, log, devices, stop);
            using var work = CancellationTokenSource.CreateLinkedTokenSource(stop);
            var heartbeats = SendHeartbeatsAsync(context, work);
            LeaseAnswer? answer;
            try
            {
                answer = await WorkAsync(context, work.Token, stop);
            }
            finally
            {
                await work.CancelAsync();
            }

            // Refused in a heartbeat, in the last report, or never answered because the node stops. A heartbeat that crossed an accepted last report is refused too: the acceptance counts.
            var refusal = await heartbeats;
            answer = answer is { Accepted: true } ? answer : refusal ?? answer;
            if (answer is { Accepted: false })
            {
                JobLog.Stops(logger, request.JobId, request.Attempt, request.Token, answer.Cancel ? "the job was cancelled." : "another lease holds the job, or it has ended.");
                log.Write(answer.Cancel ? "The job was cancelled." : "This attempt's lease is void; its work is dropped.");
            }

            metrics.AttemptEnded(answer switch
            {
                null => "stopped",
                { Accepted: false } => "refused",
                { State: JobState.Succeeded } => "succeeded",
                _ => "failed",
            });
            if (answer is not null)
            {
                await CleanUpAsync(context, answer);
            }
            else
            {
                log.Write("The node stops; another one goes on.");
                await ReturnAsync(context);
            }
        }

        using var timeout = new CancellationTokenSource(CleanUpTime, time);
        await logs.KeepAsync(request.JobId, request.Attempt, timeout.Token);
    }

    /// <summary>Works and says the last word. Null if the work was stopped before it had one.</summary>
    private async Task<LeaseAnswer?> WorkAsync(JobContext context, CancellationToken work, CancellationToken stop)
    {
        var request = context.Request;
        try
        {
            if (!_handlers.TryGetValue(context.Spec.Kind, out var handler))
            {
                throw new JobFailedException(new JobFailure(ErrorCodes.InvalidRequest, $"{node.Name} knows no jobs of kind '{context.Spec.Kind}'; it knows {string.Join(", ", _handlers.Keys)}.", false));
            }

            var result = await handler.RunAsync(context, work);
            context.Log.Write($"Finished: {result.Items} item(s), {result.Tokens} tokens. The result is '{result.Key}' if the job accepts it.");
            return await SayAsync(request, "Complete", reporter.CompleteAsync, Report(context) with { Result = result }, work);
        }
        catch (OperationCanceledException) when (work.IsCancellationRequested)
        {
            return null;
        }
        catch (Exception fault)
        {
            var failure = FailureOf(fault, context);
            context.Log.Write($"Failed ({failure.Code}): {failure.Message}");
            return await SayAsync(request, "Fail", reporter.FailAsync, Report(context) with { Failure = failure }, stop);
        }
    }

    private JobFailure FailureOf(Exception fault, JobContext context)
    {
        switch (fault)
        {
            case JobFailedException failed:
                return failed.Failure;
            case EngineException engine:
                return new JobFailure(engine.Code, engine.Message, engine.Code is ErrorCodes.TooManyRequests or ErrorCodes.Unavailable);
            case StorageException storage:
                return new JobFailure(RequestFault.CodeOf(storage.Error), storage.Message, storage.Error is not (StorageError.NotFound or StorageError.InvalidKey));
            default:
                JobLog.Failed(logger, fault, context.Request.JobId, context.Request.Attempt);
                return RequestFault.ProblemOf(fault) is { } known
                    ? new JobFailure(known.Code, known.Detail, known.Status >= 429)
                    : new JobFailure(ErrorCodes.Internal, $"{fault.GetType().Name}: {fault.Message}", true);
        }
    }

    /// <summary>Heartbeats until the work ends. Returns the answer that refused the lease, and stops the work then; null if none did.</summary>
    private async Task<LeaseAnswer?> SendHeartbeatsAsync(JobContext context, CancellationTokenSource work)
    {
        var period = TimeSpan.FromMilliseconds(Math.Max(10, context.Request.HeartbeatMilliseconds));
        while (true)
        {
            await Task.Delay(period, time, work.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (work.IsCancellationRequested)
            {
                return null;
            }

            try
            {
                var answer = await reporter.HeartbeatAsync(context.Request.JobId, Report(context), work.Token);
                if (!answer.Accepted)
                {
                    await work.CancelAsync();
                    return answer;
                }
            }
            catch (DaprException fault)
            {
                // Control may be on its way back. The work goes on: only the token decides whether it counts.
                JobLog.NotHeard(logger, context.Request.JobId, "Heartbeat", fault.Message);
            }
            catch (OperationCanceledException) when (work.IsCancellationRequested)
            {
                return null;
            }
        }
    }

    /// <summary>Says something until it is answered.</summary>
    private async Task<LeaseAnswer> SayAsync(RunJobRequest request, string name, Func<string, LeaseReport, CancellationToken, Task<LeaseAnswer>> say, LeaseReport report, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                var answer = await say(request.JobId, report, cancellationToken);
                JobLog.Answered(logger, request.JobId, request.Attempt, request.Token, name, answer.Accepted, answer.State);
                return answer;
            }
            catch (DaprException fault)
            {
                JobLog.NotHeard(logger, request.JobId, name, fault.Message);
            }

            await Task.Delay(RetryReport, time, cancellationToken);
        }
    }

    /// <summary>Hands the lease back, once: if that is not heard, the lease runs out.</summary>
    private async Task ReturnAsync(JobContext context)
    {
        using var timeout = new CancellationTokenSource(CleanUpTime, time);
        try
        {
            await reporter.ReturnAsync(context.Request.JobId, Report(context) with { Reason = "the node stops" }, timeout.Token);
        }
        catch (Exception fault) when (fault is DaprException or OperationCanceledException)
        {
            JobLog.NotHeard(logger, context.Request.JobId, "Return", fault.Message);
        }
    }

    private async Task CleanUpAsync(JobContext context, LeaseAnswer answer)
    {
        using var timeout = new CancellationTokenSource(CleanUpTime, time);
        try
        {
            if (_handlers.TryGetValue(context.Spec.Kind, out var handler))
            {
                await handler.CleanUpAsync(context, answer, timeout.Token);
            }
        }
        catch (Exception fault) when (fault is IOException or OperationCanceledException)
        {
            JobLog.NotCleaned(logger, context.Request.JobId, context.Request.Attempt, fault.Message);
        }
    }

    private LeaseReport Report(JobContext context) => new()
    {
        Token = context.Request.Token,
        Worker = node.Name,
        Progress = context.Progress,
        StagingMs = (long)context.Staging.TotalMilliseconds,
        LoadingMs = (long)context.Loading.TotalMilliseconds,
    };
}
