using Platform.Jobs;

namespace Platform.Worker.Jobs;

/// <summary>Runs one kind of job.</summary>
internal interface IJobHandler
{
    /// <summary>One of <see cref="JobKinds"/>.</summary>
    string Kind { get; }

    /// <summary>Does the work and writes the result under a key that names the lease's token; it counts only once the job's actor has accepted it.</summary>
    /// <exception cref="JobFailedException">It could not be done.</exception>
    Task<JobResult> RunAsync(JobContext context, CancellationToken cancellationToken);

    /// <summary>Removes what this attempt wrote, and, if the job has ended, what it kept for later attempts.</summary>
    Task CleanUpAsync(JobContext context, LeaseAnswer answer, CancellationToken cancellationToken);
}

/// <summary>One attempt, as its handler sees it.</summary>
internal sealed class JobContext(RunJobRequest request, AttemptLog log, IReadOnlyList<int> devices, CancellationToken stop)
{
    private volatile JobProgress? _progress;

    public RunJobRequest Request => request;

    public JobSpec Spec => request.Spec;

    public AttemptLog Log => log;

    /// <summary>Devices that are this attempt's alone.</summary>
    public IReadOnlyList<int> Devices => devices;

    /// <summary>True if it is the node that stops, not the job.</summary>
    public bool NodeStops => stop.IsCancellationRequested;

    /// <summary>Items finished so far; null until the handler knows.</summary>
    public JobProgress? Progress
    {
        get => _progress;
        set => _progress = value;
    }

    /// <summary>Time that the attempt has waited for bytes.</summary>
    public TimeSpan Staging { get; set; }

    /// <summary>Time that the attempt has waited for an engine after that.</summary>
    public TimeSpan Loading { get; set; }
}

/// <summary>An attempt failed for a reason that its user can read.</summary>
internal sealed class JobFailedException(JobFailure failure) : Exception(failure.Message)
{
    public JobFailure Failure => failure;
}
