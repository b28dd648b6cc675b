namespace Platform.Local.FunctionsHost;

internal static partial class FunctionsHostLog
{
    [LoggerMessage(200, LogLevel.Information, "Functions host listens on {Address}:{Port}; {Count} functions.")]
    public static partial void Listening(this ILogger logger, string address, int port, int count);

    [LoggerMessage(201, LogLevel.Error, "Function {Function} is off: {Reason}")]
    public static partial void FunctionOff(this ILogger logger, string function, string reason);

    [LoggerMessage(202, LogLevel.Information, "Handler process {ProcessId} started: {Command}")]
    public static partial void HandlerStarted(this ILogger logger, int processId, string command);

    [LoggerMessage(203, LogLevel.Information, "Handler process {ProcessId} is ready on port {Port} after {Milliseconds} ms.")]
    public static partial void HandlerReady(this ILogger logger, int processId, int port, long milliseconds);

    [LoggerMessage(204, LogLevel.Warning, "Handler process {ProcessId} ended with exit code {ExitCode}; starting another.")]
    public static partial void HandlerEnded(this ILogger logger, int processId, int exitCode);

    [LoggerMessage(205, LogLevel.Error, "The handler did not start (error {Errors} of {Limit} within 30 minutes): {Reason}")]
    public static partial void HandlerFailedToStart(this ILogger logger, int errors, int limit, string reason);

    [LoggerMessage(206, LogLevel.Warning, "Restarting the handler process {ProcessId}: {Reason}")]
    public static partial void HandlerRestart(this ILogger logger, int processId, string reason);

    [LoggerMessage(207, LogLevel.Information, "{Line}")]
    public static partial void HandlerSaid(this ILogger logger, string line);

    [LoggerMessage(208, LogLevel.Error, "{Line}")]
    public static partial void HandlerComplained(this ILogger logger, string line);

    [LoggerMessage(209, LogLevel.Error, "Invocation {InvocationId} of {Function} failed: {Reason}")]
    public static partial void InvocationFailed(this ILogger logger, string function, string invocationId, string reason);

    [LoggerMessage(210, LogLevel.Information, "[{Function} {InvocationId}] {Line}")]
    public static partial void InvocationLog(this ILogger logger, string function, string invocationId, string line);

    [LoggerMessage(211, LogLevel.Warning, "Message {MessageId} of queue {Queue} moved to {PoisonQueue}: {Reason}")]
    public static partial void MessagePoisoned(this ILogger logger, string messageId, string queue, string poisonQueue, string reason);

    [LoggerMessage(212, LogLevel.Error, "Queue {Queue} of function {Function} cannot be read: {Reason}")]
    public static partial void QueueUnreadable(this ILogger logger, string queue, string function, string reason);

    [LoggerMessage(213, LogLevel.Warning, "Message {MessageId} of queue {Queue} could not be settled and will be delivered again: {Reason}")]
    public static partial void MessageNotSettled(this ILogger logger, string messageId, string queue, string reason);

    [LoggerMessage(214, LogLevel.Warning, "A chunked request body to {Function} was dropped, as hosts do in forwarding mode; set customHandler.enableProxyingHttpRequest.")]
    public static partial void ChunkedBodyDropped(this ILogger logger, string function);

    [LoggerMessage(215, LogLevel.Error, "A request to {Function} failed in the host.")]
    public static partial void RequestFailed(this ILogger logger, string function, Exception exception);

    [LoggerMessage(216, LogLevel.Warning, "The status of timer {Function} could not be kept: {Reason}")]
    public static partial void TimerStatusNotKept(this ILogger logger, string function, string reason);

    [LoggerMessage(217, LogLevel.Information, "The app is loaded anew: {Reason}.")]
    public static partial void Reloading(this ILogger logger, string reason);

    [LoggerMessage(218, LogLevel.Error, "The app cannot be served; it is tried again when its files change: {Reason}")]
    public static partial void NotReloaded(this ILogger logger, string reason);

    [LoggerMessage(219, LogLevel.Warning, "A chunked request body to {Function} was dropped, as hosts do for functions with further bindings; send it with Content-Length.")]
    public static partial void ChunkedEnvelopeBodyDropped(this ILogger logger, string function);

    [LoggerMessage(220, LogLevel.Error, "A trigger has ended and runs again when the app is loaded anew.")]
    public static partial void ListenerFailed(this ILogger logger, Exception exception);
}
