namespace Platform.Functions.Routing;

internal static partial class RoutingLog
{
    [LoggerMessage(120, LogLevel.Warning, "The node table could not be refreshed; the one of {AgeMilliseconds} ms ago serves on: {Reason}")]
    public static partial void TableNotRefreshed(this ILogger logger, long ageMilliseconds, string reason);

    [LoggerMessage(121, LogLevel.Warning, "{Worker} was lost before it answered a call of model {Model}: {Reason}")]
    public static partial void WorkerLost(this ILogger logger, string worker, string model, string reason);

    [LoggerMessage(122, LogLevel.Information, "Model {Model} is cold for this call: {Worker} serves it ({Reason})")]
    public static partial void ColdCall(this ILogger logger, string model, string worker, string reason);

    [LoggerMessage(123, LogLevel.Warning, "{Worker} broke off in the middle of a streamed answer: {Reason}")]
    public static partial void StreamBroken(this ILogger logger, string worker, string reason);

    [LoggerMessage(124, LogLevel.Information, "Control does not answer at present; trying again: {Reason}")]
    public static partial void ControlAway(this ILogger logger, string reason);
}
