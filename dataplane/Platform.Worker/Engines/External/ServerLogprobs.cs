using System.Text;
using System.Text.Json;

namespace Platform.Worker.Engines.External;

/// <summary>Reads the log probabilities in a chunk of a foreign server.</summary>
internal static class ServerLogprobs
{
    /// <summary>One entry per token of the chunk; null if the server says nothing of them.</summary>
    /// <exception cref="InvalidOperationException">They are not what OpenAI's interface has there.</exception>
    public static IReadOnlyList<TokenLogprobs>? Read(JsonElement choice, bool isChat) =>
        !choice.TryGetProperty("logprobs", out var logprobs) || logprobs.ValueKind != JsonValueKind.Object ? null
        : isChat ? OfChat(logprobs)
        : OfCompletion(logprobs);

    private static List<TokenLogprobs>? OfChat(JsonElement logprobs) => !logprobs.TryGetProperty("content", out var content) || content.ValueKind != JsonValueKind.Array
        ? null
        : [.. content.EnumerateArray().Select(static token => new TokenLogprobs(One(token), token.TryGetProperty("top_logprobs", out var top) && top.ValueKind == JsonValueKind.Array ? [.. top.EnumerateArray().Select(One)] : []))];

    private static TokenLogprob One(JsonElement token)
    {
        var text = Member(token, "token").GetString() ?? "";
        var bytes = token.TryGetProperty("bytes", out var values) && values.ValueKind == JsonValueKind.Array ? [.. values.EnumerateArray().Select(static value => value.GetByte())] : Encoding.UTF8.GetBytes(text);
        return new TokenLogprob(text, bytes, Member(token, "logprob").GetSingle());
    }

    private static List<TokenLogprobs>? OfCompletion(JsonElement logprobs)
    {
        if (!logprobs.TryGetProperty("tokens", out var tokens) || tokens.ValueKind != JsonValueKind.Array)
        {
            return null;
        }

        var values = Member(logprobs, "token_logprobs");
        var tops = logprobs.TryGetProperty("top_logprobs", out var list) && list.ValueKind == JsonValueKind.Array ? list : default(JsonElement?);
        return [.. tokens.EnumerateArray().Select((token, i) => new TokenLogprobs(One(token.GetString() ?? "", values[i].GetSingle()), TopOf(tops, i)))];
    }

    private static List<TokenLogprob> TopOf(JsonElement? tops, int i) => tops is { } list && i < list.GetArrayLength() && list[i].ValueKind == JsonValueKind.Object
        ? [.. list[i].EnumerateObject().Select(static entry => One(entry.Name, entry.Value.GetSingle())).OrderByDescending(static one => one.Logprob)]
        : [];

    private static TokenLogprob One(string text, float logprob) => new(text, Encoding.UTF8.GetBytes(text), logprob);

    private static JsonElement Member(JsonElement element, string name) => element.TryGetProperty(name, out var member) ? member : throw new InvalidOperationException($"'{name}' is missing");
}
