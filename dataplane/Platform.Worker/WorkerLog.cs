namespace Platform.Worker;

internal static partial class WorkerLog
{
    [LoggerMessage(100, LogLevel.Information, "{Worker} computes with {Device}.")]
    public static partial void Device(ILogger logger, string worker, string device);
}
