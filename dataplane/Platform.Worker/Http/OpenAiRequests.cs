using System.Text.Json;

namespace Platform.Worker.Http;

/// <summary>Body of <c>POST /v1/completions</c>, as far as it is served. Members that would change the answer and are not served are refused, not ignored.</summary>
internal sealed record CompletionBody
{
    public string? Model { get; init; }

    /// <summary>A string, or a list with one string.</summary>
    public JsonElement Prompt { get; init; }

    public int? MaxTokens { get; init; }

    public double? Temperature { get; init; }

    public double? TopP { get; init; }

    public int? TopK { get; init; }

    public int? N { get; init; }

    public int? BestOf { get; init; }

    public bool? Echo { get; init; }

    public string? Suffix { get; init; }

    public int? Logprobs { get; init; }

    /// <summary>Null, a string or a list of strings.</summary>
    public JsonElement Stop { get; init; }

    public long? Seed { get; init; }

    public bool? Stream { get; init; }

    public StreamOptions? StreamOptions { get; init; }
}

/// <summary>Body of <c>POST /v1/chat/completions</c>, as far as it is served.</summary>
internal sealed record ChatBody
{
    public string? Model { get; init; }

    public IReadOnlyList<ChatBodyMessage?>? Messages { get; init; }

    public int? MaxTokens { get; init; }

    public int? MaxCompletionTokens { get; init; }

    public double? Temperature { get; init; }

    public double? TopP { get; init; }

    public int? TopK { get; init; }

    public int? N { get; init; }

    public bool? Logprobs { get; init; }

    public int? TopLogprobs { get; init; }

    /// <summary>Null, a string or a list of strings.</summary>
    public JsonElement Stop { get; init; }

    public long? Seed { get; init; }

    public bool? Stream { get; init; }

    public StreamOptions? StreamOptions { get; init; }

    /// <summary>Not served.</summary>
    public JsonElement Tools { get; init; }
}

/// <summary>One message of a chat.</summary>
internal sealed record ChatBodyMessage
{
    public string? Role { get; init; }

    /// <summary>A string, or a list of parts of type <c>text</c>.</summary>
    public JsonElement Content { get; init; }
}

/// <summary>Options of a stream.</summary>
/// <param name="IncludeUsage">True: a last chunk, without choices, carries the usage.</param>
internal sealed record StreamOptions(bool? IncludeUsage);
