using Platform.DataPlane;
using Platform.DataPlane.Weights;
using Platform.Jobs;
using Platform.Worker.Engines;

namespace Platform.Worker.Http;

/// <summary>Turns whatever went wrong into the problem that the caller sees. One place knows which code has which status.</summary>
internal static class RequestFault
{
    /// <summary>The problem of an expected failure; null if <paramref name="fault"/> is a fault of ours.</summary>
    public static Problem? ProblemOf(Exception fault) => fault switch
    {
        EngineException engine => Problem.Of(StatusOf(engine.Code), engine.Code, engine.Message),
        RequestException request => Problem.Of(StatusOf(request.Code), request.Code, request.Message, request.Faults),
        StorageException storage => Problem.Of(StatusOf(CodeOf(storage.Error)), CodeOf(storage.Error), storage.Message),
        WeightsException weights => weights.InnerException is { } inner and not WeightsException && ProblemOf(inner) is { } deeper
            ? deeper
            : Problem.Of(400, ErrorCodes.ModelInvalid, weights.Message),
        BadHttpRequestException { StatusCode: 413 } body => Problem.Of(413, ErrorCodes.BodyTooLarge, body.Message),
        _ => null,
    };

    /// <summary>The code of a storage error.</summary>
    public static string CodeOf(StorageError error) => error switch
    {
        StorageError.Full => ErrorCodes.StorageFull,
        StorageError.Corrupt or StorageError.Changed or StorageError.Truncated => ErrorCodes.DataCorrupt,
        StorageError.NotFound => ErrorCodes.ObjectNotFound,
        StorageError.InvalidKey => ErrorCodes.InvalidRequest,
        StorageError.Unavailable => ErrorCodes.Unavailable,
        _ => ErrorCodes.Internal,
    };

    private static int StatusOf(string code) => code switch
    {
        ErrorCodes.InvalidJson or ErrorCodes.InvalidRequest or ErrorCodes.PromptEmpty or ErrorCodes.PromptTooLong or ErrorCodes.ModelInvalid => 400,
        ErrorCodes.ModelNotFound or ErrorCodes.JobNotFound or ErrorCodes.ObjectNotFound or ErrorCodes.BlobNotFound => 404,
        ErrorCodes.BodyTooLarge => 413,
        ErrorCodes.TooManyRequests => 429,
        ErrorCodes.Unavailable => 503,
        ErrorCodes.StorageFull => 507,
        _ => 500,
    };
}

/// <summary>A request that cannot be served, for a reason that the caller can act on.</summary>
internal sealed class RequestException(string code, string message, IReadOnlyList<SpecFault>? faults = null) : Exception(message)
{
    /// <summary>One of <see cref="ErrorCodes"/>.</summary>
    public string Code => code;

    /// <summary>Every fault, where there may be several.</summary>
    public IReadOnlyList<SpecFault>? Faults => faults;
}
