namespace Platform.Local.Supervisor;

/// <summary>Dapr's names of log levels.</summary>
internal static class DaprLogLevel
{
    /// <exception cref="PlatformException">It is none of them.</exception>
    public static LogLevel Parse(string name) => name.ToLowerInvariant() switch
    {
        "debug" => LogLevel.Debug,
        "info" => LogLevel.Information,
        "warn" => LogLevel.Warning,
        "error" => LogLevel.Error,
        "fatal" => LogLevel.Critical,
        _ => throw new PlatformException($"Log level '{name}' is unknown; expected debug, info, warn, error or fatal.", Cli.ExitCodes.Usage),
    };
}
