using Microsoft.Extensions.Logging;

namespace Platform.Dapr.Actors;

internal static partial class ActorLog
{
    [LoggerMessage(1, LogLevel.Warning, "Actor {Type}/{Id}: {Turn} failed, its state changes are dropped.")]
    public static partial void TurnFailed(ILogger log, Exception exception, string type, string id, string turn);

    [LoggerMessage(2, LogLevel.Warning, "Actor {Type}/{Id} failed to deactivate cleanly; it is forgotten all the same.")]
    public static partial void DeactivationFailed(ILogger log, Exception exception, string type, string id);
}
