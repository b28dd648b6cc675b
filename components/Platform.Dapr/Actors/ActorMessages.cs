using System.Text.Json;
using System.Text.Json.Serialization;

namespace Platform.Dapr.Actors;

/// <summary>The answer of <c>/dapr/config</c>.</summary>
internal sealed record ActorRuntimeConfig(
    IReadOnlyList<string> Entities, string ActorIdleTimeout, string DrainOngoingCallTimeout, bool DrainRebalancedActors, ActorReentrancyConfig? Reentrancy);

internal sealed record ActorReentrancyConfig(bool Enabled, int MaxStackDepth);

/// <summary>Body of a timer's or reminder's callback. Any member may be absent.</summary>
internal sealed record ActorCallback(string? Callback, JsonElement? Data, string? DueTime, string? Period)
{
    /// <summary>The registered bytes; JSON that somebody else registered comes as its text.</summary>
    public byte[] State => Data switch
    {
        null => [],
        { ValueKind: JsonValueKind.String } text when text.TryGetBytesFromBase64(out var bytes) => bytes,
        { ValueKind: JsonValueKind.Null or JsonValueKind.Undefined } => [],
        { } other => System.Text.Encoding.UTF8.GetBytes(other.GetRawText()),
    };
}

/// <summary>Body that registers a timer or reminder.</summary>
internal sealed record ActorSchedule(string? DueTime, string? Period, string? Callback, byte[]? Data);

/// <summary>A method's own error, sent with a 200 and the error header.</summary>
internal sealed record ActorError([property: JsonPropertyName("errorCode")] string Code, string Message, string Type);
