using Platform.Jobs;

namespace Platform.Worker.Jobs;

internal static partial class JobLog
{
    [LoggerMessage(600, LogLevel.Information, "Job {JobId} accepted: {Kind}, attempt {Attempt} (token {Token}).")]
    public static partial void Accepted(ILogger logger, string jobId, string kind, int attempt, long token);

    [LoggerMessage(601, LogLevel.Information, "Job {JobId} declined: {Running} of {MaxJobs} job(s) run here.")]
    public static partial void Declined(ILogger logger, string jobId, int running, int maxJobs);

    [LoggerMessage(602, LogLevel.Information, "Job {JobId} attempt {Attempt} (token {Token}): {Report} answered with accepted={Accepted}, the job is {State}.")]
    public static partial void Answered(ILogger logger, string jobId, int attempt, long token, string report, bool accepted, JobState state);

    [LoggerMessage(603, LogLevel.Information, "Job {JobId} attempt {Attempt} (token {Token}) stops: {Reason}")]
    public static partial void Stops(ILogger logger, string jobId, int attempt, long token, string reason);

    [LoggerMessage(604, LogLevel.Warning, "Job {JobId}: {Report} did not arrive, it is said again: {Reason}")]
    public static partial void NotHeard(ILogger logger, string jobId, string report, string reason);

    [LoggerMessage(605, LogLevel.Error, "Job {JobId} attempt {Attempt} failed by a fault of ours.")]
    public static partial void Failed(ILogger logger, Exception fault, string jobId, int attempt);

    [LoggerMessage(606, LogLevel.Warning, "The log of job {JobId} attempt {Attempt} stays on the node for now: {Reason}")]
    public static partial void LogNotKept(ILogger logger, string jobId, int attempt, string reason);

    [LoggerMessage(607, LogLevel.Warning, "What job {JobId} attempt {Attempt} wrote could not be removed: {Reason}")]
    public static partial void NotCleaned(ILogger logger, string jobId, int attempt, string reason);

    [LoggerMessage(620, LogLevel.Information, "The bytes of job {JobId}, which still waits, are here.")]
    public static partial void Prefetched(ILogger logger, string jobId);

    [LoggerMessage(621, LogLevel.Information, "The bytes of job {JobId}, which still waits, are not all here, the job stages them itself: {Reason}")]
    public static partial void NotPrefetched(ILogger logger, string jobId, string reason);
}
