using System.Text.Json;
using System.Text.Json.Serialization;
using Platform.Jobs;

namespace Platform.Worker.Jobs;

/// <summary>A line of the input that is a JSON object.</summary>
internal sealed record PromptLine
{
    public string? Prompt { get; init; }

    public int? MaxTokens { get; init; }

    public double? Temperature { get; init; }
}

/// <summary>One line of the results: the completion of one item, or why it has none.</summary>
internal sealed record ItemResult
{
    /// <summary>Place in the input, from 0.</summary>
    public required int Index { get; init; }

    public string? Text { get; init; }

    /// <summary><c>stop</c> or <c>length</c>.</summary>
    public string? FinishReason { get; init; }

    public int PromptTokens { get; init; }

    public int CompletionTokens { get; init; }

    /// <summary>Why this item has no text; the other items are not touched by it.</summary>
    public ItemError? Error { get; init; }
}

/// <summary>Why one item failed.</summary>
/// <param name="Code">One of <see cref="ErrorCodes"/>.</param>
/// <param name="Message">For people.</param>
internal sealed record ItemError(string Code, string Message);

/// <summary>First line of a part.</summary>
/// <param name="Fingerprint">Of the model's files and the input: items made from others do not count.</param>
internal sealed record PartHeader(string Fingerprint);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(PromptLine))]
[JsonSerializable(typeof(ItemResult))]
[JsonSerializable(typeof(PartHeader))]
internal sealed partial class BatchJson : JsonSerializerContext;
