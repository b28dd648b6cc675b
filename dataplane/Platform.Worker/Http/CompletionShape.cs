using System.Text.Json;
using Platform.Worker.Engines;

namespace Platform.Worker.Http;

/// <summary>Writes the answers of one call in the shape of its surface.</summary>
internal sealed class CompletionShape(bool isChat, string id, string model, long created)
{
    public string Id => id;

    public string Model => model;

    /// <summary>The whole answer.</summary>
    public byte[] Whole(string text, FinishReason? finish, Usage usage) => isChat
        ? JsonSerializer.SerializeToUtf8Bytes(new ChatResponse(id, "chat.completion", created, model, [new ChatChoice(0, new ChatResponseMessage("assistant", text), null, NameOf(finish))], usage), OpenAiJson.Default.ChatResponse)
        : JsonSerializer.SerializeToUtf8Bytes(new CompletionResponse(id, "text_completion", created, model, [new CompletionChoice(0, text, null, NameOf(finish))], usage), OpenAiJson.Default.CompletionResponse);

    /// <summary>What a stream begins with; null if nothing.</summary>
    public byte[]? First() => isChat ? Chunk([new ChatChunkChoice(0, new ChatDelta("assistant", ""), null, null)], null) : null;

    /// <summary>One piece of text.</summary>
    public byte[] Piece(string text) => isChat
        ? Chunk([new ChatChunkChoice(0, new ChatDelta(null, text), null, null)], null)
        : JsonSerializer.SerializeToUtf8Bytes(new CompletionResponse(id, "text_completion", created, model, [new CompletionChoice(0, text, null, null)], null), OpenAiJson.Default.CompletionResponse);

    /// <summary>The chunk that says why it ends.</summary>
    public byte[] Last(FinishReason? finish) => isChat
        ? Chunk([new ChatChunkChoice(0, new ChatDelta(null, null), null, NameOf(finish))], null)
        : JsonSerializer.SerializeToUtf8Bytes(new CompletionResponse(id, "text_completion", created, model, [new CompletionChoice(0, "", null, NameOf(finish))], null), OpenAiJson.Default.CompletionResponse);

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

    private byte[] Chunk(IReadOnlyList<ChatChunkChoice> choices, Usage? usage) =>
        JsonSerializer.SerializeToUtf8Bytes(new ChatChunk(id, "chat.completion.chunk", created, model, choices, usage), OpenAiJson.Default.ChatChunk);
}
