using System.Text.Json.Serialization;

namespace Platform.Worker.Http;

/// <summary>JSON as OpenAI's clients speak it: snake_case, nulls left out except where clients look for the member.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(CompletionBody))]
[JsonSerializable(typeof(ChatBody))]
[JsonSerializable(typeof(CompletionResponse))]
[JsonSerializable(typeof(ChatResponse))]
[JsonSerializable(typeof(ChatChunk))]
[JsonSerializable(typeof(StreamError))]
internal sealed partial class OpenAiJson : JsonSerializerContext;
