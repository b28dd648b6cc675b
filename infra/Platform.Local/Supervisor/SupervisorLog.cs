namespace Platform.Local.Supervisor;

internal static partial class SupervisorLog
{
    [LoggerMessage(1, LogLevel.Warning, "{File} cannot be written: {Reason}. Other commands may not find the platform until there is room.")]
    public static partial void RunFileNotWritten(ILogger logger, string file, string reason);
}
