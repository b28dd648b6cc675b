namespace Platform.Worker.Engines;

/// <summary>One text to continue.</summary>
internal sealed record GenerationRequest
{
    /// <summary>Text to continue; not empty. Special tokens in it count as such.</summary>
    public required string Prompt { get; init; }

    /// <summary>The chat that <see cref="Prompt"/> was rendered from; null for a plain completion. For engines that render chats themselves.</summary>
    public IReadOnlyList<ChatMessage>? Messages { get; init; }

    /// <summary>Tokens to make at most, at least 1. Prompt and this together must fit <c>ContextLength</c>. Null: as many as fit.</summary>
    public int? MaxTokens { get; init; } = 32;

    /// <summary>0 (greedy, the default) to 2; higher is more varied.</summary>
    public double Temperature { get; init; }

    /// <summary>Sample among this many most likely tokens only; 0 (the default) for all.</summary>
    public int TopK { get; init; }

    /// <summary>Sample among the most likely tokens whose probabilities add up to this, above 0 to 1 (the default: all).</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Same seed, same text, whatever else the engine does at the time. Null: another text each time.</summary>
    public long? Seed { get; init; }

    /// <summary>Generation ends before the first of these; none is ever part of the text. At most 16, none empty.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Report the log probability of each token, and of this many most likely ones, 0 to 20. Null (the default): none.</summary>
    public int? Logprobs { get; init; }
}

/// <summary>One token as it was made. A generation yields one of these per sampled token, the last with <see cref="Finish"/>.</summary>
/// <param name="Id">Token id.</param>
/// <param name="Text">Text that became certain with this token: whole characters, empty while a character or a possible stop string is incomplete. All pieces in order are the completion.</param>
/// <param name="Finish">Null except on the last token.</param>
/// <param name="Logprobs">With <see cref="GenerationRequest.Logprobs"/>: one entry, or as many as a foreign server says of the tokens in its piece.</param>
internal sealed record GeneratedToken(int Id, string Text, FinishReason? Finish, IReadOnlyList<TokenLogprobs>? Logprobs = null);

/// <summary>How likely a token was, and which ones were most likely; before temperature and filters.</summary>
/// <param name="Chosen">The token that was made.</param>
/// <param name="Top">The most likely tokens, best first.</param>
internal sealed record TokenLogprobs(TokenLogprob Chosen, IReadOnlyList<TokenLogprob> Top);

/// <summary>A token and the natural logarithm of its probability.</summary>
/// <param name="Token">The token's own text; bytes that are no character by themselves appear as U+FFFD.</param>
/// <param name="Bytes">Its bytes.</param>
/// <param name="Logprob">The logarithm.</param>
internal sealed record TokenLogprob(string Token, ReadOnlyMemory<byte> Bytes, float Logprob);

/// <summary>Why a generation ended.</summary>
internal enum FinishReason
{
    /// <summary>The model ended the text, or a stop string appeared. OpenAI: <c>stop</c>.</summary>
    Stop,

    /// <summary><see cref="GenerationRequest.MaxTokens"/> or the context is used up. OpenAI: <c>length</c>.</summary>
    Length,
}
