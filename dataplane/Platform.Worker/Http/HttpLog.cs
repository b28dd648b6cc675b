namespace Platform.Worker.Http;

internal static partial class HttpLog
{
    [LoggerMessage(500, LogLevel.Error, "{Method} {Path} failed.")]
    public static partial void Failed(ILogger logger, Exception fault, string method, string path);

    [LoggerMessage(501, LogLevel.Information, "{Method} {Path} refused with {Status} {Code}: {Detail}")]
    public static partial void Refused(ILogger logger, string method, string path, int status, string code, string detail);

    [LoggerMessage(502, LogLevel.Information, "Completion {Id} of {Model}: {PromptTokens}+{CompletionTokens} tokens, {Finish}. Waited for {ObjectStoreBytes} bytes from object storage, {NvmeBytes} from NVMe; {Timing}")]
    public static partial void Completed(ILogger logger, string id, string model, int promptTokens, int completionTokens, string finish, long objectStoreBytes, long nvmeBytes, string timing);

    [LoggerMessage(503, LogLevel.Information, "Completion {Id} of {Model} given up by the client after {CompletionTokens} tokens.")]
    public static partial void GivenUp(ILogger logger, string id, string model, int completionTokens);

    [LoggerMessage(504, LogLevel.Error, "Completion {Id} of {Model} broke off after {CompletionTokens} tokens: {Reason}")]
    public static partial void BrokeOff(ILogger logger, string id, string model, int completionTokens, string reason);
}
