namespace Platform.Worker.Models;

internal static partial class ModelLog
{
    [LoggerMessage(400, LogLevel.Information, "Model {Model} is being loaded: {Bytes} bytes.")]
    public static partial void Loading(ILogger logger, string model, long bytes);

    [LoggerMessage(408, LogLevel.Information, "Model {Model} has {ObjectStoreBytes} bytes to come from object storage, {NvmeBytes} from NVMe and {HostBytes} from host memory: {ExpectedMilliseconds:0} ms at the speeds seen so far.")]
    public static partial void Expected(ILogger logger, string model, long objectStoreBytes, long nvmeBytes, long hostBytes, double expectedMilliseconds);

    [LoggerMessage(401, LogLevel.Information, "Model {Model} is ready after {Milliseconds:0.0} ms: {ObjectStoreBytes} bytes from object storage, {NvmeBytes} from NVMe, {HostBytes} from host memory.")]
    public static partial void Loaded(ILogger logger, string model, double milliseconds, long objectStoreBytes, long nvmeBytes, long hostBytes);

    [LoggerMessage(402, LogLevel.Error, "Model {Model} could not be loaded: {Reason}")]
    public static partial void NotLoaded(ILogger logger, string model, string reason);

    [LoggerMessage(403, LogLevel.Information, "Model {Model} leaves memory, idle the longest, to make room for {For}.")]
    public static partial void Evicted(ILogger logger, string model, string @for);

    [LoggerMessage(405, LogLevel.Information, "Model {Model} goes to sleep on request, warm level {Level}.")]
    public static partial void Sleeps(ILogger logger, string model, string level);

    [LoggerMessage(406, LogLevel.Warning, "The chat template of model {Model} is not used: {Reason}. Chats are rendered with the template '{Instead}'.")]
    public static partial void ChatTemplateNotUsed(ILogger logger, string model, string reason, string instead);

    [LoggerMessage(404, LogLevel.Information, "Model {Model} is dropped on request.")]
    public static partial void Dropped(ILogger logger, string model);

    [LoggerMessage(407, LogLevel.Information, "Model {Model} leaves memory after {IdleSeconds:0} s without a call; the tier keeps it.")]
    public static partial void Released(ILogger logger, string model, double idleSeconds);
}
