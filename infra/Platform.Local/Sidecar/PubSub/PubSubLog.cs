namespace Platform.Local.Sidecar.PubSub;

internal static partial class PubSubLog
{
    [LoggerMessage(30, LogLevel.Warning, "Topic '{Topic}': the routing rules of '{AppId}' cannot be evaluated: {Reason}")]
    public static partial void RouteFailed(ILogger log, string topic, string appId, string reason);

    [LoggerMessage(31, LogLevel.Warning, "Topic '{Topic}': delivery to '{AppId}' failed: {Reason}")]
    public static partial void DeliveryFailed(ILogger log, string topic, string appId, string reason);

    [LoggerMessage(32, LogLevel.Error, "A subscription of '{AppId}' is left out: {Reason}")]
    public static partial void SubscriptionRefused(ILogger log, string appId, string reason);

    [LoggerMessage(33, LogLevel.Error, "Message {Key} could not be settled; it is delivered again.")]
    public static partial void NotSettled(ILogger log, Exception exception, string key);

    [LoggerMessage(34, LogLevel.Warning, "Topic '{Topic}': '{AppId}' dropped a message{DeadLetter}.")]
    public static partial void Dropped(ILogger log, string topic, string appId, string deadLetter);

    [LoggerMessage(35, LogLevel.Error, "That messages were handled could not be written; it is tried again. After a crash they would be delivered again.")]
    public static partial void ForgottenNotWritten(ILogger log, Exception exception);
}
