using System.Globalization;
using System.Text.Json;
using Platform.Local.Sidecar.Http;

namespace Platform.Local.Sidecar.State;

/// <summary>Reads the items of save and transaction requests.</summary>
internal static class StateItems
{
    private static readonly byte[] JsonNull = "null"u8.ToArray();

    /// <summary>An item of a save, or the <c>request</c> of an upsert.</summary>
    /// <exception cref="JsonException">It is not what it should be.</exception>
    public static StateOperation Upsert(JsonElement item, Func<string, string> keyOf, IReadOnlyDictionary<string, string> metadata)
    {
        var operation = Delete(item, keyOf);
        return operation with
        {
            Value = GoJson.Find(item, "value") is { } value ? GoJson.Rewrite(value) : JsonNull,
            TimeToLive = TimeToLive(GoJson.FindMap(item, "metadata"), metadata),
        };
    }

    /// <summary>The <c>request</c> of a delete.</summary>
    /// <exception cref="JsonException">It is not what it should be.</exception>
    public static StateOperation Delete(JsonElement item, Func<string, string> keyOf)
    {
        if (item.ValueKind != JsonValueKind.Object)
        {
            throw new JsonException("expected an object with a key");
        }

        var key = GoJson.FindString(item, "key");
        if (string.IsNullOrEmpty(key))
        {
            throw new JsonException("missing key in state item");
        }

        var concurrency = GoJson.Find(item, "options") is { ValueKind: JsonValueKind.Object } options ? GoJson.FindString(options, "concurrency") : null;
        return new StateOperation
        {
            Key = keyOf(key),
            ETag = concurrency == "last-write" ? null : GoJson.FindString(item, "etag"),
            FirstWrite = concurrency == "first-write",
        };
    }

    private static TimeSpan? TimeToLive(Dictionary<string, string> own, IReadOnlyDictionary<string, string> fromQuery)
    {
        var text = fromQuery.GetValueOrDefault("ttlInSeconds") ?? own.GetValueOrDefault("ttlInSeconds");
        return text switch
        {
            null or "" => null,
            _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var seconds) && seconds < int.MaxValue => TimeSpan.FromSeconds(seconds),
            _ => throw new JsonException($"ttlInSeconds is '{text}'; expected a whole number of seconds"),
        };
    }
}
