using System.Globalization;
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

    /// <summary>Seconds after which a refused caller may come back, as the header has it.</summary>
    public static string RetryAfterOf(Exception fault) => Math.Max(1, (int)Math.Ceiling(((fault as RequestException)?.RetryAfter ?? TimeSpan.Zero).TotalSeconds)).ToString(CultureInfo.InvariantCulture);

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
        ErrorCodes.TooManyRequests or ErrorCodes.ModelLoading => 429,
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

    /// <summary>When the caller may come back; null for soon.</summary>
    public TimeSpan? RetryAfter { get; private init; }

    /// <summary>As many calls as may run or wait on a node at once do.</summary>
    /// <param name="limit">How many that is.</param>
    /// <param name="node">The node.</param>
    /// <param name="isLoading">True if the model that was asked for is being loaded, so that most of them wait for just that: another node would have to load it as well.</param>
    /// <param name="readyIn">When it is expected to be ready, if that is known.</param>
    public static RequestException TooMany(int limit, string node, bool isLoading, TimeSpan? readyIn) => isLoading
        ? new(ErrorCodes.ModelLoading, string.Create(CultureInfo.InvariantCulture, $"{limit} calls wait on {node} already, which is loading the model{(readyIn is { } wait ? $": it is expected to be ready in {wait.TotalSeconds:0.#} s. Try again then." : ". Try again in a second.")}")) { RetryAfter = readyIn }
        : new(ErrorCodes.TooManyRequests, $"{limit} calls run or wait on {node} already. Try again in a second.");
}
