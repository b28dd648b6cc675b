using System.Text;
using Platform.Worker.Engines;

namespace Platform.Worker.Http;

/// <summary>Writes the log probabilities of one answer, whole or chunk after chunk.</summary>
internal sealed class LogprobsShape
{
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private int _offset;

    /// <summary>For <c>/v1/completions</c>.</summary>
    public CompletionLogprobs ForCompletion(IReadOnlyList<TokenLogprobs> tokens) => new(
        [.. tokens.Select(static token => token.Chosen.Token)],
        [.. tokens.Select(static token => token.Chosen.Logprob)],
        tokens.All(static token => token.Top.Count == 0) ? null : [.. tokens.Select(TopOf)],
        [.. tokens.Select(OffsetOf)]);

    /// <summary>For <c>/v1/chat/completions</c>.</summary>
    public static ChatLogprobs ForChat(IReadOnlyList<TokenLogprobs> tokens) => new([.. tokens.Select(static token => ForChat(token.Chosen, [.. token.Top.Select(static top => ForChat(top, null))]))]);

    private static ChatTokenLogprob ForChat(TokenLogprob token, IReadOnlyList<ChatTokenLogprob>? top) => new(token.Token, token.Logprob, [.. token.Bytes.ToArray().Select(static value => (int)value)], top);

    /// <summary>Tokens that are parts of a character look alike; the likeliest of them stands for all.</summary>
    private static Dictionary<string, float> TopOf(TokenLogprobs token)
    {
        var top = new Dictionary<string, float>(StringComparer.Ordinal);
        foreach (var one in token.Top.Append(token.Chosen))
        {
            top.TryAdd(one.Token, one.Logprob);
        }

        return top;
    }

    /// <summary>A character counts once its last byte is there.</summary>
    private int OffsetOf(TokenLogprobs token)
    {
        var offset = _offset;
        var characters = new char[token.Chosen.Bytes.Length + 1];
        _offset += _decoder.GetChars(token.Chosen.Bytes.Span, characters, flush: false);
        return offset;
    }
}
