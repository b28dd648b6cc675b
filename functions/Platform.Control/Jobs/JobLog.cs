using Platform.Jobs;

namespace Platform.Control.Jobs;

internal static partial class JobLog
{
    [LoggerMessage(200, LogLevel.Information, "Job {JobId} submitted: {Kind}, at most {MaxAttempts} attempt(s).")]
    public static partial void Submitted(ILogger logger, string jobId, string kind, int maxAttempts);

    [LoggerMessage(201, LogLevel.Information, "Job {JobId} refused: another spec is known under this id.")]
    public static partial void Conflict(ILogger logger, string jobId);

    [LoggerMessage(202, LogLevel.Information, "Job {JobId} attempt {Attempt} (token {Token}) placed. {Reason}")]
    public static partial void Placed(ILogger logger, string jobId, int attempt, long token, string reason);

    [LoggerMessage(203, LogLevel.Information, "Job {JobId} offer (token {Token}) withdrawn: {Reason}.")]
    public static partial void Withdrawn(ILogger logger, string jobId, long token, string reason);

    [LoggerMessage(204, LogLevel.Information, "Job {JobId} waits: {Reason}")]
    public static partial void Waits(ILogger logger, string jobId, string reason);

    [LoggerMessage(205, LogLevel.Information, "Job {JobId} runs on {Worker}, attempt {Attempt} (token {Token}).")]
    public static partial void Started(ILogger logger, string jobId, string worker, int attempt, long token);

    [LoggerMessage(206, LogLevel.Information, "Job {JobId} attempt {Attempt} on {Worker} {Outcome}: {Message} Now {State}.")]
    public static partial void AttemptEnded(ILogger logger, string jobId, int attempt, string worker, string outcome, string message, JobState state);

    [LoggerMessage(207, LogLevel.Information, "Job {JobId} is {State}: {Reason}")]
    public static partial void Ended(ILogger logger, string jobId, JobState state, string? reason);

    [LoggerMessage(208, LogLevel.Information, "Job {JobId} refuses {Report} of {Worker} with token {Token}: the job is {State} and its last token is {LastToken}.")]
    public static partial void RefusedReport(ILogger logger, string jobId, string report, string worker, long token, JobState state, long lastToken);

    [LoggerMessage(209, LogLevel.Warning, "Job {JobId} could not be recorded in the index, the next check does it: {Reason}")]
    public static partial void NotIndexed(ILogger logger, string jobId, string reason);

    [LoggerMessage(212, LogLevel.Information, "Job {JobId}: {Objects} object(s) of {LengthBytes} bytes that its attempts had left are deleted.")]
    public static partial void Tidied(ILogger logger, string jobId, int objects, long lengthBytes);

    [LoggerMessage(213, LogLevel.Warning, "{What} did not succeed, it is done again later: {Reason}")]
    public static partial void ErrandFailed(ILogger logger, string what, string reason);

    [LoggerMessage(214, LogLevel.Information, "Job {JobId}: its time to live has passed, everything of it is removed.")]
    public static partial void Expired(ILogger logger, string jobId);

    [LoggerMessage(215, LogLevel.Information, "Job {JobId} (token {Token}) is handed back by {Worker}: {Reason}")]
    public static partial void Returned(ILogger logger, string jobId, long token, string worker, string reason);

    [LoggerMessage(216, LogLevel.Information, "Job {JobId}: delivery {Try} of its webhook: {Outcome}")]
    public static partial void WebhookTried(ILogger logger, string jobId, int @try, string outcome);

    [LoggerMessage(211, LogLevel.Information, "{Count} job(s) waited in the process before.")]
    public static partial void FoundWaiting(ILogger logger, int count);

    [LoggerMessage(210, LogLevel.Warning, "Job {JobId} could not be woken, the next heartbeat does it: {Reason}")]
    public static partial void NotWoken(ILogger logger, string jobId, string reason);
}
