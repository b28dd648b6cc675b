namespace Platform.Control.Nodes;

internal static partial class NodeLog
{
    [LoggerMessage(100, LogLevel.Information, "Node {Worker} joined: process {ProcessId}, {Device}, {CapacityBytes} bytes for models, {MaxJobs} job(s) at once.")]
    public static partial void Joined(ILogger logger, string worker, int processId, string device, long capacityBytes, int maxJobs);

    [LoggerMessage(101, LogLevel.Information, "Node {Worker} restarted: process {OldProcessId} is gone, {ProcessId} holds nothing yet.")]
    public static partial void Restarted(ILogger logger, string worker, int oldProcessId, int processId);

    [LoggerMessage(102, LogLevel.Information, "Node {Worker} is back after {Silence} without a heartbeat.")]
    public static partial void Back(ILogger logger, string worker, TimeSpan silence);
}
