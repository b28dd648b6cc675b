namespace Platform.Functions.Hosting;

internal static partial class FunctionsLog
{
    [LoggerMessage(100, LogLevel.Information, "Serving {Count} functions on 127.0.0.1:{Port}.")]
    public static partial void Serving(this ILogger logger, int count, int port);

    [LoggerMessage(101, LogLevel.Error, "Function {Function} failed (invocation {InvocationId}).")]
    public static partial void FunctionFailed(this ILogger logger, string function, string invocationId, Exception exception);

    [LoggerMessage(102, LogLevel.Warning, "Function {Function} cannot read its invocation {InvocationId}: {Reason}")]
    public static partial void InvocationUnreadable(this ILogger logger, string function, string invocationId, string reason);
}
