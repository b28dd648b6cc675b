using System.Net;

namespace Platform.Dapr;

/// <summary>A call through the sidecar failed. The derived type says which building block; the properties say what was asked and what came back.</summary>
public class DaprException : Exception
{
    /// <summary>Makes a failure with the words for a log.</summary>
    public DaprException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }

    /// <summary>Dapr's stable code (<c>ERR_DIRECT_INVOKE</c> ...), or one of <see cref="DaprErrorCodes"/>; null if the answer carried none, as an app's own error does.</summary>
    public string? ErrorCode { get; init; }

    /// <summary>Status of the answer; null if there was none.</summary>
    public HttpStatusCode? StatusCode { get; init; }

    /// <summary>The app that was called, where one was.</summary>
    public string? AppId { get; init; }

    /// <summary>The method that was called, where one was.</summary>
    public string? Method { get; init; }

    /// <summary>The first 64 KiB of the answer's body as text; null if there was none.</summary>
    public string? Body { get; init; }
}

/// <summary>Service invocation failed: the app answered outside 200-299, or the sidecar could not reach it (<see cref="DaprErrorCodes.DirectInvoke"/>).</summary>
public sealed class DaprInvocationException(string message, Exception? inner = null) : DaprException(message, inner)
{
    /// <summary>True if the app never answered: nobody is there under this id, or the connection broke. False if the error is the app's own.</summary>
    public bool IsTransport => ErrorCode is DaprErrorCodes.DirectInvoke or DaprErrorCodes.SidecarUnreachable;
}

/// <summary>A state call failed. A stale ETag has status 409.</summary>
public sealed class DaprStateException(string message, Exception? inner = null) : DaprException(message, inner);

/// <summary>A publish was not accepted: the message is not durable.</summary>
public sealed class DaprPublishException(string message, Exception? inner = null) : DaprException(message, inner);

/// <summary>Metadata, health or shutdown could not be asked.</summary>
public sealed class DaprSidecarException(string message, Exception? inner = null) : DaprException(message, inner);

/// <summary>A call to or for an actor failed in the sidecar: no host for the type, the host died, state or reminder refused.</summary>
public class DaprActorException(string message, Exception? inner = null) : DaprException(message, inner)
{
    /// <summary>Type of the actor.</summary>
    public string? ActorType { get; init; }

    /// <summary>Id of the actor.</summary>
    public string? ActorId { get; init; }
}

/// <summary>The actor's own method threw: the turn's state changes are dropped, the code and message are those of the exception.</summary>
public sealed class DaprActorMethodException(string message, Exception? inner = null) : DaprActorException(message, inner);
