namespace Platform.Functions.Sweeping;

internal static partial class SweepLog
{
    [LoggerMessage(140, LogLevel.Information, "Sweep: {Nudged} job(s) nudged, {Released} idle replica(s) released, {Dropped} orphan(s) dropped, {Objects} object(s) of {Bytes} bytes deleted, {Failures} call(s) failed.")]
    public static partial void Swept(this ILogger logger, int nudged, int released, int dropped, int objects, long bytes, int failures);

    [LoggerMessage(141, LogLevel.Warning, "The sweep could not reach job {JobId}, the next one tries again: {Reason}")]
    public static partial void JobNotSwept(this ILogger logger, string jobId, string reason);

    [LoggerMessage(142, LogLevel.Warning, "The sweep could not reach model {Model}, the next one tries again: {Reason}")]
    public static partial void ModelNotSwept(this ILogger logger, string model, string reason);
}
