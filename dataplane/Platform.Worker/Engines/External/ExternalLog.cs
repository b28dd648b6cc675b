namespace Platform.Worker.Engines.External;

internal static partial class ExternalLog
{
    [LoggerMessage(800, LogLevel.Information, "[{Model}] {Line}")]
    public static partial void Said(ILogger logger, string model, string line);

    [LoggerMessage(801, LogLevel.Information, "The server of model {Model} is healthy: process {ProcessId}, port {Port}.")]
    public static partial void Healthy(ILogger logger, string model, int processId, int port);

    [LoggerMessage(803, LogLevel.Warning, "{Count} server(s) that outlived a killed worker were ended.")]
    public static partial void LeftOversEnded(ILogger logger, int count);

    [LoggerMessage(802, LogLevel.Warning, "The server of model {Model} is started again in {Seconds:0.###} s: {Reason}")]
    public static partial void Restarting(ILogger logger, string model, double seconds, string reason);
}
