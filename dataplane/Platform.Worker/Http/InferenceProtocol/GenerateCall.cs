using System.Text.Json;
using Platform.Jobs;
using Platform.Worker.Engines;

namespace Platform.Worker.Http.InferenceProtocol;

/// <summary>One call of the extension <c>generate</c>: <c>{"text_input":"...","parameters":{...}}</c>; parameters may stand at the top too.</summary>
/// <param name="Id">The caller's id, given back; null if there is none.</param>
/// <param name="Request">The whole request.</param>
internal sealed record GenerateCall(string? Id, GenerationRequest Request)
{
    /// <exception cref="RequestException">It has faults; all of them are named at once.</exception>
    public static GenerateCall Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? Read(document.RootElement)
                : throw new RequestException(ErrorCodes.InvalidJson, $"The body is a JSON {document.RootElement.ValueKind}; expected an object with '{InferenceTensors.TextInput}'.");
        }
        catch (JsonException fault)
        {
            throw new RequestException(ErrorCodes.InvalidJson, $"The body is not the expected JSON: {fault.Message}");
        }
    }

    private static GenerateCall Read(JsonElement root)
    {
        var faults = new List<SpecFault>();
        var sampling = new SamplingParameters();
        sampling.Read(root, "$", static name => name is InferenceTensors.TextInput or "id" or "parameters" or "stream", faults);
        sampling.Read(root.TryGetProperty("parameters", out var parameters) ? parameters : default, "$.parameters", static _ => false, faults);
        var hasText = root.TryGetProperty(InferenceTensors.TextInput, out var text) && text.ValueKind == JsonValueKind.String;
        if (!hasText)
        {
            faults.Add(new SpecFault($"$.{InferenceTensors.TextInput}", "expected a string."));
        }

        if (faults.Count > 0)
        {
            throw new RequestException(ErrorCodes.InvalidRequest, "The request has faults: " + string.Join(" ", faults.Select(fault => $"{fault.Path}: {fault.Message}")), faults);
        }

        var id = root.TryGetProperty("id", out var given) && given.ValueKind == JsonValueKind.String ? given.GetString() : null;
        return text.GetString() is { Length: > 0 } prompt
            ? new GenerateCall(id, sampling.ToRequest() with { Prompt = prompt })
            : throw new RequestException(ErrorCodes.PromptEmpty, $"'{InferenceTensors.TextInput}' is empty; expected at least one character.");
    }
}
