using System.Text.Json;
using Platform.Jobs;
using Platform.Worker.Engines;

namespace Platform.Worker.Http;

/// <summary>One call, whichever of the two surfaces it came through, checked and ready to run.</summary>
/// <param name="Model">Model that the client named.</param>
/// <param name="Prompt">Makes the prompt, for which a chat needs the model's template.</param>
/// <param name="Request">The sampling part; its prompt is set when the model is there.</param>
/// <param name="Stream">Answer as server-sent events.</param>
/// <param name="IncludeUsage">End the stream with a chunk of usage.</param>
/// <param name="IsChat">The shape of the answer.</param>
internal sealed record CompletionCall(string Model, Func<IEngine, string> Prompt, GenerationRequest Request, bool Stream, bool IncludeUsage, bool IsChat)
{
    /// <summary>OpenAI's default for <c>max_tokens</c> of a completion. A chat may fill the context.</summary>
    private const int DefaultMaxTokens = 16;

    /// <summary>Most likely tokens that are told beside each one that was made.</summary>
    private const int MaxLogprobs = 20;

    /// <summary>Checks a completion request and names every fault at once.</summary>
    /// <exception cref="RequestException">It has faults.</exception>
    public static CompletionCall From(CompletionBody body)
    {
        var faults = new Faults();
        faults.CheckModel(body.Model);
        faults.Check(body.N is null or 1, "$.n", $"{body.N} completions; one is served per call.");
        faults.Check(body.BestOf is null or 1, "$.best_of", "not served; leave it out.");
        faults.Check(body.Echo is null or false, "$.echo", "not served; leave it out.");
        faults.Check(string.IsNullOrEmpty(body.Suffix), "$.suffix", "not served; leave it out.");
        faults.Check(body.Logprobs is null or (>= 0 and <= MaxLogprobs), "$.logprobs", $"{body.Logprobs} is out of range; expected 0 to {MaxLogprobs}.");
        var prompt = faults.OneString(body.Prompt, "$.prompt");
        var request = SamplingOf(faults, body.MaxTokens ?? DefaultMaxTokens, body.Temperature, body.TopP, body.TopK, body.Stop, body.Seed);
        faults.ThrowIfAny();
        if (prompt.Length == 0)
        {
            throw new RequestException(ErrorCodes.PromptEmpty, "The prompt is empty; expected at least one character.");
        }

        return new CompletionCall(body.Model!, _ => prompt, request with { Logprobs = body.Logprobs }, body.Stream == true, body.StreamOptions?.IncludeUsage == true, false);
    }

    /// <summary>Checks a chat request and names every fault at once.</summary>
    /// <exception cref="RequestException">It has faults.</exception>
    public static CompletionCall From(ChatBody body)
    {
        var faults = new Faults();
        faults.CheckModel(body.Model);
        faults.Check(body.N is null or 1, "$.n", $"{body.N} answers; one is served per call.");
        faults.Check(body.TopLogprobs is null or (>= 0 and <= MaxLogprobs), "$.top_logprobs", $"{body.TopLogprobs} is out of range; expected 0 to {MaxLogprobs}.");
        faults.Check(body.TopLogprobs is null || body.Logprobs == true, "$.top_logprobs", "expected 'logprobs': true beside it.");
        faults.Check(body.Tools.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null || body.Tools is { ValueKind: JsonValueKind.Array } && body.Tools.GetArrayLength() == 0, "$.tools", "not served; leave it out.");
        faults.Check(body.Messages is { Count: > 0 }, "$.messages", "expected at least one message.");
        var messages = new List<ChatMessage>();
        for (var i = 0; i < (body.Messages?.Count ?? 0); i++)
        {
            if (body.Messages![i] is not { } message)
            {
                faults.Check(false, $"$.messages[{i}]", "null; expected an object with 'role' and 'content'.");
                continue;
            }

            faults.Check(message.Role is "system" or "developer" or "user" or "assistant", $"$.messages[{i}].role", $"'{message.Role}' is no role; expected system, user or assistant.");
            messages.Add(new ChatMessage(message.Role is "developer" ? "system" : message.Role ?? "user", faults.Text(message.Content, $"$.messages[{i}].content")));
        }

        var request = SamplingOf(faults, body.MaxCompletionTokens ?? body.MaxTokens, body.Temperature, body.TopP, body.TopK, body.Stop, body.Seed);
        faults.ThrowIfAny();
        if (messages.All(message => message.Content.Length == 0))
        {
            throw new RequestException(ErrorCodes.PromptEmpty, "Every message is empty; expected at least one character.");
        }

        return new CompletionCall(body.Model!, engine => engine.RenderChat(messages), request with { Messages = messages, Logprobs = body.Logprobs == true ? body.TopLogprobs ?? 0 : null }, body.Stream == true, body.StreamOptions?.IncludeUsage == true, true);
    }

    private static GenerationRequest SamplingOf(Faults faults, int? maxTokens, double? temperature, double? topP, int? topK, JsonElement stop, long? seed)
    {
        faults.Check(maxTokens is null or >= 1, "$.max_tokens", $"{maxTokens} is out of range; expected at least 1.");
        faults.Check(temperature is null or (>= 0 and <= 2), "$.temperature", $"{temperature} is out of range; expected 0 to 2.");
        faults.Check(topP is null or (> 0 and <= 1), "$.top_p", $"{topP} is out of range; expected above 0 to 1.");
        faults.Check(topK is null or >= 0, "$.top_k", $"{topK} is out of range; expected 0 (all) or more.");
        return new GenerationRequest
        {
            Prompt = "",
            MaxTokens = maxTokens,
            Temperature = temperature ?? 1,
            TopP = topP ?? 1,
            TopK = topK ?? 0,
            Stop = faults.Strings(stop, "$.stop"),
            Seed = seed,
        };
    }

    /// <summary>Collects faults with their JSON paths.</summary>
    private sealed class Faults
    {
        private const int MaxStops = 16;
        private readonly List<SpecFault> _found = [];

        public void Check(bool good, string path, string message)
        {
            if (!good)
            {
                _found.Add(new SpecFault(path, message));
            }
        }

        public void CheckModel(string? model) => Check(Names.IsModel(model), "$.model", $"'{model}' is not a model name; expected {Names.ModelRule}.");

        public string OneString(JsonElement value, string path)
        {
            if (value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 1)
            {
                value = value[0];
            }

            Check(value.ValueKind == JsonValueKind.String, path, "expected one string; send a batch-infer job for many prompts.");
            return value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
        }

        public string Text(JsonElement value, string path)
        {
            if (value.ValueKind == JsonValueKind.Array)
            {
                return string.Concat(value.EnumerateArray().Select((part, i) =>
                {
                    var isText = part.ValueKind == JsonValueKind.Object && part.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String;
                    Check(isText, $"{path}[{i}]", "expected a part of type 'text'.");
                    return isText ? part.GetProperty("text").GetString() : "";
                }));
            }

            Check(value.ValueKind == JsonValueKind.String, path, "expected a string.");
            return value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
        }

        public IReadOnlyList<string> Strings(JsonElement value, string path)
        {
            if (value.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null)
            {
                return [];
            }

            JsonElement[] items = value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [value];
            var good = items.Length <= MaxStops && items.All(item => item.ValueKind == JsonValueKind.String && item.GetString()!.Length > 0);
            Check(good, path, $"expected a string, or a list of at most {MaxStops} strings, none of them empty.");
            return good ? [.. items.Select(item => item.GetString()!)] : [];
        }

        public void ThrowIfAny()
        {
            if (_found.Count > 0)
            {
                throw new RequestException(ErrorCodes.InvalidRequest, "The request has faults: " + string.Join(" ", _found.Select(fault => $"{fault.Path}: {fault.Message}")), _found);
            }
        }
    }
}
