namespace Platform.Dapr.Actors;

/// <summary>Thrown by an actor's method to fail a call with a code of its own: the caller gets a <see cref="DaprActorMethodException"/> with this code and message.</summary>
/// <param name="code">Stable code that callers branch on.</param>
/// <param name="message">For people.</param>
/// <param name="inner">The cause; stays in the log.</param>
public sealed class ActorException(string code, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Stable code that callers branch on.</summary>
    public string Code => code;
}
