using Microsoft.Extensions.Options;
using Platform.Jobs;

namespace Platform.Worker.Jobs;

/// <summary>The jobs that this node runs, up to its limit.</summary>
internal sealed class JobRuns(AttemptRunner runner, NodeResources resources, NodeChanges changes, IOptions<WorkerOptions> options, ILogger<JobRuns> logger) : IHostedService, IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string JobId, long Token), Task> _running = [];
    private readonly CancellationTokenSource _stop = new();
    private bool _draining;

    public bool IsDraining
    {
        get
        {
            lock (_lock)
            {
                return _draining;
            }
        }
    }

    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _running.Count;
            }
        }
    }

    /// <summary>Fencing tokens by job of the leases that are counted in <see cref="Count"/>.</summary>
    public IReadOnlyDictionary<string, long> Leases()
    {
        lock (_lock)
        {
            return _running.Keys.GroupBy(run => run.JobId).ToDictionary(job => job.Key, job => job.Max(run => run.Token));
        }
    }

    /// <summary>Takes the job if there is a slot. The same lease offered again is taken already.</summary>
    /// <returns>Null, or why not.</returns>
    public Problem? TryStart(RunJobRequest request)
    {
        lock (_lock)
        {
            var key = (request.JobId, request.Token);
            if (_running.ContainsKey(key))
            {
                return null;
            }

            if (_draining)
            {
                return Problem.Of(503, ErrorCodes.Unavailable, "The node is draining.");
            }

            if (_running.Count >= options.Value.MaxJobs)
            {
                JobLog.Declined(logger, request.JobId, _running.Count, options.Value.MaxJobs);
                return Problem.Of(429, ErrorCodes.TooManyRequests, $"{_running.Count} of {options.Value.MaxJobs} job(s) run here.");
            }

            if (resources.TryTake(request.Spec.Resources, out var lacks) is not { } share)
            {
                return Problem.Of(429, ErrorCodes.TooManyRequests, lacks);
            }

            JobLog.Accepted(logger, request.JobId, request.Spec.Kind, request.Attempt, request.Token);
            _running[key] = Task.Run(() => RunAsync(request, share));
        }

        changes.Tell();
        return null;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Lets go of every job: the leases run out and other nodes go on where this one stopped.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        Task[] running;
        lock (_lock)
        {
            _draining = true;
            running = [.. _running.Values];
        }

        changes.Tell();
        await _stop.CancelAsync();
        await Task.WhenAll(running).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public void Dispose() => _stop.Dispose();

    private async Task RunAsync(RunJobRequest request, NodeResources.JobShare share)
    {
        try
        {
            await runner.RunAsync(request, _stop.Token, share.Devices);
        }
        finally
        {
            share.Dispose();
            lock (_lock)
            {
                _running.Remove((request.JobId, request.Token));
            }

            changes.Tell();
        }
    }
}
