namespace Platform.Local.Sidecar;

internal static partial class SidecarLog
{
    [LoggerMessage(1, LogLevel.Information, "Sidecar of '{AppId}' serves the Dapr HTTP API on port {Port}.")]
    public static partial void Started(ILogger log, string appId, int port);

    [LoggerMessage(2, LogLevel.Information, "Component '{Component}' ({Type}) of '{AppId}' is served by {By}.")]
    public static partial void ComponentServed(ILogger log, string component, string type, string appId, string by);

    [LoggerMessage(3, LogLevel.Information, "App '{AppId}' is up on port {Port}: its callbacks are loaded.")]
    public static partial void AppUp(ILogger log, string appId, int port);

    [LoggerMessage(4, LogLevel.Warning, "App '{AppId}' on port {Port} is away; calls to it fail until it is back.")]
    public static partial void AppAway(ILogger log, string appId, int port);

    [LoggerMessage(5, LogLevel.Debug, "App '{AppId}' accepts connections but does not answer yet: {Reason}")]
    public static partial void AppNotReady(ILogger log, string appId, string reason);

    [LoggerMessage(6, LogLevel.Warning, "App '{AppId}' answered {Path} with something unreadable, taken for nothing: {Reason}")]
    public static partial void CallbackUnreadable(ILogger log, string appId, string path, string reason);

    [LoggerMessage(7, LogLevel.Debug, "'{AppId}' called '{Target}' {Method} and failed: {Reason}")]
    public static partial void InvocationFailed(ILogger log, string appId, string target, string method, string reason);

    [LoggerMessage(8, LogLevel.Error, "The sidecar of '{AppId}' failed to answer {Method} {Path}.")]
    public static partial void RequestFailed(ILogger log, Exception exception, string appId, string method, string path);

    [LoggerMessage(9, LogLevel.Warning, "Actor {Type}/{Id} was idle, and its app failed to deactivate it: {Reason}")]
    public static partial void DeactivationFailed(ILogger log, string type, string id, string reason);

    [LoggerMessage(10, LogLevel.Warning, "Reminder {Key} failed, attempt {Attempt}: {Reason}")]
    public static partial void ReminderFailed(ILogger log, string key, int attempt, string reason);

    [LoggerMessage(11, LogLevel.Debug, "Timer {Name} of actor {Type}/{Id} failed: {Reason}")]
    public static partial void TimerFailed(ILogger log, string name, string type, string id, string reason);

    [LoggerMessage(12, LogLevel.Error, "Reminder {Key} could not be written; it is tried again.")]
    public static partial void ReminderNotSaved(ILogger log, Exception exception, string key);

    [LoggerMessage(13, LogLevel.Warning, "Resource file {File} is not YAML and is left out: {Reason}")]
    public static partial void ResourceUnreadable(ILogger log, string file, string reason);

    [LoggerMessage(17, LogLevel.Error, "A component of '{AppId}' is left out, as its ignoreErrors says: {Reason}")]
    public static partial void ComponentLeftOut(ILogger log, string appId, string reason);

    [LoggerMessage(16, LogLevel.Warning, "App '{AppId}' has the actor types {Types}, which nobody can call: no state store says actorStateStore. Add it to one.")]
    public static partial void ActorsNotHosted(ILogger log, string appId, string types);

    [LoggerMessage(15, LogLevel.Warning, "Sidecars of other processes could not be told what app '{AppId}' hosts now.")]
    public static partial void PeersNotTold(ILogger log, Exception exception, string appId);

    [LoggerMessage(14, LogLevel.Error, "App '{AppId}' is up, but what it subscribes to could not be written; it is tried again.")]
    public static partial void AppNotTaken(ILogger log, Exception exception, string appId);
}
