using System.Text.Json;

namespace Platform.Jobs;

/// <summary>An error in the body that the Open Inference Protocol v2 asks for: the message under <c>error</c>; our stable code stands beside it.</summary>
/// <param name="Error">Which thing, what was found, what was expected, what to do.</param>
/// <param name="Code">One of <see cref="ErrorCodes"/>.</param>
public sealed record InferenceError(string Error, string Code)
{
    /// <summary>The problem in the protocol's words.</summary>
    public static InferenceError Of(Problem problem) => new(problem.Detail, problem.Code);

    /// <summary>The body.</summary>
    public byte[] ToUtf8() => JsonSerializer.SerializeToUtf8Bytes(this, JobsJson.Default.InferenceError);
}
