using System.Text.Json.Serialization;

namespace Platform.Worker.Http;

/// <summary>Answer, or one chunk of it, of <c>/v1/completions</c>: both are <c>text_completion</c> objects.</summary>
internal sealed record CompletionResponse(string Id, string Object, long Created, string Model, IReadOnlyList<CompletionChoice> Choices, Usage? Usage);

/// <summary>The one completion, or a piece of it.</summary>
internal sealed record CompletionChoice(
    int Index,
    string Text,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] CompletionLogprobs? Logprobs,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? FinishReason);

/// <summary>Answer of <c>/v1/chat/completions</c>: a <c>chat.completion</c>.</summary>
internal sealed record ChatResponse(string Id, string Object, long Created, string Model, IReadOnlyList<ChatChoice> Choices, Usage? Usage);

/// <summary>The one answer.</summary>
internal sealed record ChatChoice(
    int Index,
    ChatResponseMessage Message,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] ChatLogprobs? Logprobs,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? FinishReason);

/// <summary>The assistant's message.</summary>
internal sealed record ChatResponseMessage(string Role, string Content);

/// <summary>One chunk of a streamed chat answer: a <c>chat.completion.chunk</c>.</summary>
internal sealed record ChatChunk(string Id, string Object, long Created, string Model, IReadOnlyList<ChatChunkChoice> Choices, Usage? Usage);

/// <summary>A piece of the one answer.</summary>
internal sealed record ChatChunkChoice(
    int Index,
    ChatDelta Delta,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] ChatLogprobs? Logprobs,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? FinishReason);

/// <summary>What a chunk adds to the message: the role first, then text, at the end nothing.</summary>
internal sealed record ChatDelta(string? Role, string? Content);

/// <summary>Log probabilities of a completion's tokens, one entry per token in each list.</summary>
/// <param name="Tokens">Their texts.</param>
/// <param name="TokenLogprobs">Their log probabilities.</param>
/// <param name="TopLogprobs">The most likely tokens at each place, and the one that was made; null if none were asked for.</param>
/// <param name="TextOffset">Characters of the completion before each.</param>
internal sealed record CompletionLogprobs(
    IReadOnlyList<string> Tokens,
    IReadOnlyList<float> TokenLogprobs,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] IReadOnlyList<IReadOnlyDictionary<string, float>>? TopLogprobs,
    IReadOnlyList<int> TextOffset);

/// <summary>Log probabilities of a chat answer's tokens.</summary>
internal sealed record ChatLogprobs(IReadOnlyList<ChatTokenLogprob> Content);

/// <summary>A token with its log probability; with the most likely tokens at its place, if it is one that was made.</summary>
internal sealed record ChatTokenLogprob(string Token, float Logprob, IReadOnlyList<int> Bytes, IReadOnlyList<ChatTokenLogprob>? TopLogprobs);

/// <summary>Tokens of one call.</summary>
internal sealed record Usage(int PromptTokens, int CompletionTokens, int TotalTokens);

/// <summary>An error after the stream has begun, in the place of a chunk.</summary>
internal sealed record StreamError(Platform.Jobs.OpenAiError Error);
