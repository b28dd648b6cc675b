using System.Runtime.CompilerServices;
using Platform.Jobs;
using Platform.Worker.Engines;

namespace Platform.UnitTests.Worker;

/// <summary>Continues a prompt with <c> 0 1 2 ...</c>; a prompt is as many tokens as it has words.</summary>
internal sealed class FakeEngine : IEngine
{
    public int ContextLength => 20;

    public long TokensMade { get; private set; }

    public bool IsDisposed { get; private set; }

    /// <summary>Runs before each token: a test waits, counts or throws in it.</summary>
    public Func<string, int, Task> BeforeToken { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>Tokens whose text comes with a later one.</summary>
    public Func<int, bool> HoldsBack { get; set; } = _ => false;

    public int CountTokens(string text) => text.Split(' ').Length;

    public string RenderChat(IReadOnlyList<ChatMessage> messages) => string.Join(' ', messages.Select(message => $"<{message.Role}> {message.Content}"));

    public IAsyncEnumerable<GeneratedToken> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken) =>
        request.Prompt.Length == 0 ? throw new EngineException(ErrorCodes.PromptEmpty, "The prompt is empty.")
        : CountTokens(request.Prompt) + (request.MaxTokens ?? 1) > ContextLength ? throw new EngineException(ErrorCodes.PromptTooLong, "The prompt is too long.")
        : EnumerateAsync(request, cancellationToken);

    public ValueTask DisposeAsync()
    {
        IsDisposed = true;
        return ValueTask.CompletedTask;
    }

    private async IAsyncEnumerable<GeneratedToken> EnumerateAsync(GenerationRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var count = request.MaxTokens ?? ContextLength - CountTokens(request.Prompt);
        var held = "";
        for (var i = 0; i < count; i++)
        {
            await BeforeToken(request.Prompt, i).WaitAsync(cancellationToken);
            TokensMade++;
            held += $" {i}";
            var text = HoldsBack(i) ? "" : held;
            held = HoldsBack(i) ? held : "";
            yield return new GeneratedToken(i, text, i == count - 1 ? FinishReason.Length : null, request.Logprobs is { } top ? [LogprobsOf(i, top)] : null);
        }
    }

    private static TokenLogprobs LogprobsOf(int token, int top) => new(LogprobOf($" {token}", -0.25f * token), [.. Enumerable.Range(0, top).Select(rank => LogprobOf($" {token + rank}", (-0.25f * token) - rank))]);

    private static TokenLogprob LogprobOf(string text, float logprob) => new(text, System.Text.Encoding.UTF8.GetBytes(text), logprob);
}
