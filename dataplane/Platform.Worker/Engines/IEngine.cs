namespace Platform.Worker.Engines;

/// <summary>Serves one model. Safe for any number of threads; disposing it stops what still runs and frees its memory.</summary>
internal interface IEngine : IAsyncDisposable
{
    /// <summary>Tokens of prompt and completion together.</summary>
    int ContextLength { get; }

    /// <summary>Tokens made since the start, of all texts.</summary>
    long TokensMade { get; }

    /// <summary>How many tokens a text is as a prompt.</summary>
    int CountTokens(string text);

    /// <summary>The prompt that asks for the assistant's next turn of a chat.</summary>
    string RenderChat(IReadOnlyList<ChatMessage> messages);

    /// <summary>Continues a text; leaving the loop or cancelling ends it within one token.</summary>
    /// <exception cref="EngineException">The request cannot be served; thrown before anything is enumerated, or while enumerating.</exception>
    IAsyncEnumerable<GeneratedToken> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken);
}
