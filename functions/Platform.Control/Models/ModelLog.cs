namespace Platform.Control.Models;

internal static partial class ModelLog
{
    [LoggerMessage(300, LogLevel.Information, "Model {Model} published: {Files} files, {LengthBytes} bytes.")]
    public static partial void Published(ILogger logger, string model, int files, long lengthBytes);

    [LoggerMessage(301, LogLevel.Information, "Model {Model} removed.")]
    public static partial void Removed(ILogger logger, string model);

    [LoggerMessage(302, LogLevel.Information, "Model {Model} goes to {Worker}: {Reason}")]
    public static partial void Placed(ILogger logger, string model, string worker, string reason);

    [LoggerMessage(303, LogLevel.Warning, "Model {Model} cannot be served: {Reason}")]
    public static partial void Unplaced(ILogger logger, string model, string reason);

    [LoggerMessage(304, LogLevel.Warning, "Model {Model} could not be dropped on {Worker}, which evicts it in its own time: {Reason}")]
    public static partial void NotDropped(ILogger logger, string model, string worker, string reason);

    [LoggerMessage(305, LogLevel.Information, "Model {Model} left the memory of {Worker}: no call for {Idle}.")]
    public static partial void Released(ILogger logger, string model, string worker, TimeSpan idle);
}
