using Platform.DataPlane.Weights;
using Platform.Worker.Engines;
using Platform.Worker.Engines.Llama;

namespace Platform.Worker.Models;

/// <summary>A Llama engine together with the memory that its weights lie in; both end together, in this order.</summary>
internal sealed class LlamaModel(LlamaEngine engine, StagedModel staged) : IEngine
{
    public int ContextLength => engine.ContextLength;

    public long TokensMade => engine.TokensMade;

    public int CountTokens(string text) => engine.CountTokens(text);

    public string RenderChat(IReadOnlyList<ChatMessage> messages) => engine.ChatTemplate.Render(messages);

    public IAsyncEnumerable<GeneratedToken> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken) => engine.GenerateAsync(request, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await engine.DisposeAsync();
        await staged.DisposeAsync();
    }
}
