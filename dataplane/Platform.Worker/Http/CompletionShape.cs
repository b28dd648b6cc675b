using System.Text.Json;
using Platform.Worker.Engines;

namespace Platform.Worker.Http;

/// <summary>Writes the answers of one call in the shape of its surface.</summary>
internal sealed class CompletionShape(bool isChat, string id, string model, long created)
{
    private readonly LogprobsShape _logprobs = new();

    public string Id => id;

    public string Model => model;

    /// <summary>The whole answer.</summary>
    public byte[] Whole(string text, FinishReason? finish, Usage usage, IReadOnlyList<TokenLogprobs>? logprobs) => isChat
        ? JsonSerializer.SerializeToUtf8Bytes(new ChatResponse(id, "chat.completion", created, model, [new ChatChoice(0, new ChatResponseMessage("assistant", text), ForChat(logprobs), NameOf(finish))], usage), OpenAiJson.Default.ChatResponse)
        : JsonSerializer.SerializeToUtf8Bytes(new CompletionResponse(id, "text_completion", created, model, [new CompletionChoice(0, text, ForCompletion(logprobs), NameOf(finish))], usage), OpenAiJson.Default.CompletionResponse);

    /// <summary>What a stream begins with; null if nothing.</summary>
    public byte[]? First() => isChat ? Chunk([new ChatChunkChoice(0, new ChatDelta("assistant", ""), null, null)], null) : null;

    /// <summary>One piece of text.</summary>
    public byte[] Piece(string text, IReadOnlyList<TokenLogprobs>? logprobs) => isChat
        ? Chunk([new ChatChunkChoice(0, new ChatDelta(null, text), ForChat(logprobs), null)], null)
        : JsonSerializer.SerializeToUtf8Bytes(new CompletionResponse(id, "text_completion", created, model, [new CompletionChoice(0, text, ForCompletion(logprobs), null)], null), OpenAiJson.Default.CompletionResponse);

    /// <summary>The chunk that says why it ends, with what there is to say of tokens whose text was never shown.</summary>
    public byte[] Last(FinishReason? finish, IReadOnlyList<TokenLogprobs>? logprobs) => isChat
        ? Chunk([new ChatChunkChoice(0, new ChatDelta(null, null), ForChat(logprobs), NameOf(finish))], null)
        : JsonSerializer.SerializeToUtf8Bytes(new CompletionResponse(id, "text_completion", created, model, [new CompletionChoice(0, "", ForCompletion(logprobs), NameOf(finish))], null), OpenAiJson.Default.CompletionResponse);

    /// <summary>The chunk of usage, which has no choices.</summary>
    public byte[] UsageChunk(Usage usage) => isChat
        ? Chunk([], usage)
        : JsonSerializer.SerializeToUtf8Bytes(new CompletionResponse(id, "text_completion", created, model, [], usage), OpenAiJson.Default.CompletionResponse);

    /// <summary>OpenAI's word for why a generation ended.</summary>
    public static string? NameOf(FinishReason? finish) => finish switch
    {
        FinishReason.Stop => "stop",
        FinishReason.Length => "length",
        _ => null,
    };

    private static ChatLogprobs? ForChat(IReadOnlyList<TokenLogprobs>? logprobs) => logprobs is { Count: > 0 } ? LogprobsShape.ForChat(logprobs) : null;

    private CompletionLogprobs? ForCompletion(IReadOnlyList<TokenLogprobs>? logprobs) => logprobs is { Count: > 0 } ? _logprobs.ForCompletion(logprobs) : null;

    private byte[] Chunk(IReadOnlyList<ChatChunkChoice> choices, Usage? usage) =>
        JsonSerializer.SerializeToUtf8Bytes(new ChatChunk(id, "chat.completion.chunk", created, model, choices, usage), OpenAiJson.Default.ChatChunk);
}
