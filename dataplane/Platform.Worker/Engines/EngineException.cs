using Platform.Jobs;

namespace Platform.Worker.Engines;

/// <summary>An engine cannot load a model or will not take a request. The message is meant for the user.</summary>
internal sealed class EngineException : Exception
{
    /// <summary>Makes the exception.</summary>
    /// <param name="code">One of <see cref="ErrorCodes"/>.</param>
    /// <param name="message">Which thing, what was found, what was expected, what to do.</param>
    public EngineException(string code, string message)
        : base(message) => Code = code;

    /// <summary>Makes the exception with its cause.</summary>
    public EngineException(string code, string message, Exception innerException)
        : base(message, innerException) => Code = code;

    /// <summary><see cref="ErrorCodes.ModelInvalid"/>, <see cref="ErrorCodes.PromptEmpty"/>, <see cref="ErrorCodes.PromptTooLong"/>, <see cref="ErrorCodes.InvalidRequest"/> or <see cref="ErrorCodes.TooManyRequests"/>.</summary>
    public string Code { get; }

    /// <summary>The model's files are not what this engine can run.</summary>
    public static EngineException ModelInvalid(string message) => new(ErrorCodes.ModelInvalid, message);
}
