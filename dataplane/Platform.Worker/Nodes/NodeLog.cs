namespace Platform.Worker.Nodes;

internal static partial class NodeLog
{
    [LoggerMessage(700, LogLevel.Warning, "Control does not hear this node; heartbeats go on: {Reason}")]
    public static partial void NotHeard(ILogger logger, string reason);

    [LoggerMessage(701, LogLevel.Information, "Control hears this node again.")]
    public static partial void Heard(ILogger logger);
}
