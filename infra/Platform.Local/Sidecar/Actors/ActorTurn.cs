using System.Net;
using System.Net.Http.Headers;

namespace Platform.Local.Sidecar.Actors;

/// <summary>What is sent to the app as a turn.</summary>
internal sealed record ActorTurn
{
    /// <summary>Path below <c>actors/{type}/{id}/method/</c>, encoded, with its query.</summary>
    public required string Path { get; init; }

    /// <summary>The body.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>Reentrancy id that the caller sent; null: the sidecar makes one where the type is reentrant.</summary>
    public string? Chain { get; init; }

    /// <summary>Puts the caller's headers on the request.</summary>
    public Action<HttpRequestMessage>? AddHeaders { get; init; }

    /// <summary>The turn only makes sense in this activation (a timer's); null: in any.</summary>
    public ActorHostApp? OnlyIn { get; init; }
}

/// <summary>What the app answered.</summary>
/// <param name="Status">Status; a turn succeeded only with 200.</param>
/// <param name="Body">The whole body.</param>
/// <param name="Headers">Headers of the answer.</param>
/// <param name="ContentHeaders">Headers of its content.</param>
internal sealed record ActorAnswer(HttpStatusCode Status, byte[] Body, HttpResponseHeaders Headers, HttpContentHeaders ContentHeaders)
{
    public bool IsSuccess => Status == HttpStatusCode.OK;

    /// <summary>True if the app asks, with a success, for the end of the reminder or timer.</summary>
    public bool WantsCancel => IsSuccess && Headers.NonValidated.TryGetValues("X-DaprReminderCancel", out var values) && values.ToString().ToUpperInvariant() is "TRUE" or "T" or "YES" or "Y" or "ON" or "1";
}
