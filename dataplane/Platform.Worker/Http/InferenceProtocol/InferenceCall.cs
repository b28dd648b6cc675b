using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Platform.Jobs;
using Platform.Worker.Engines;

namespace Platform.Worker.Http.InferenceProtocol;

/// <summary>One call of <c>infer</c>, checked and ready to run.</summary>
/// <param name="Id">The caller's id, given back; null if there is none.</param>
/// <param name="Prompts">The elements of the input tensor.</param>
/// <param name="Shape">The input tensor's shape, which the outputs have too.</param>
/// <param name="Request">The sampling part; each prompt is set when it runs.</param>
/// <param name="Outputs">Outputs that the caller wants, and whether as binary data.</param>
internal sealed record InferenceCall(string? Id, IReadOnlyList<string> Prompts, IReadOnlyList<long> Shape, GenerationRequest Request, IReadOnlyList<(string Name, bool IsBinary)> Outputs)
{
    /// <summary>Prompts in one call at most; a batch-infer job takes more.</summary>
    public const int MaxPrompts = 64;

    private const int LengthPrefixBytes = 4;
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    /// <summary>Reads a call: JSON, or JSON of <paramref name="jsonBytes"/> bytes with binary tensor data behind it.</summary>
    /// <exception cref="RequestException">It has faults; all of them are named at once.</exception>
    public static InferenceCall Parse(ReadOnlyMemory<byte> body, int? jsonBytes)
    {
        if (jsonBytes is < 0 || jsonBytes > body.Length)
        {
            throw new RequestException(ErrorCodes.InvalidRequest, $"Inference-Header-Content-Length is {jsonBytes}; the body has {body.Length} bytes.");
        }

        try
        {
            using var document = JsonDocument.Parse(body[..(jsonBytes ?? body.Length)]);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? Read(document.RootElement, jsonBytes is { } length ? body[length..] : default)
                : throw new RequestException(ErrorCodes.InvalidJson, $"The body is a JSON {document.RootElement.ValueKind}; expected an object with 'inputs'.");
        }
        catch (JsonException fault)
        {
            throw new RequestException(ErrorCodes.InvalidJson, $"The body is not the expected JSON: {fault.Message}");
        }
    }

    private static InferenceCall Read(JsonElement root, ReadOnlyMemory<byte> binary)
    {
        var faults = new List<SpecFault>();
        var id = Member(root, "id") is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
        var sampling = new SamplingParameters();
        var parameters = Member(root, "parameters");
        sampling.Read(parameters, "$.parameters", static name => name is "binary_data_output" or "priority" or "timeout", faults);
        var allBinary = parameters.ValueKind == JsonValueKind.Object && Member(parameters, "binary_data_output").ValueKind == JsonValueKind.True;
        var (prompts, shape) = ReadInput(root, binary, faults);
        var outputs = ReadOutputs(root, allBinary, faults);
        if (faults.Count > 0)
        {
            throw new RequestException(ErrorCodes.InvalidRequest, "The request has faults: " + string.Join(" ", faults.Select(fault => $"{fault.Path}: {fault.Message}")), faults);
        }

        return prompts.All(prompt => prompt.Length > 0)
            ? new InferenceCall(id, prompts, shape, sampling.ToRequest(), outputs)
            : throw new RequestException(ErrorCodes.PromptEmpty, $"An element of '{InferenceTensors.TextInput}' is empty; expected at least one character.");
    }

    private static (IReadOnlyList<string> Prompts, IReadOnlyList<long> Shape) ReadInput(JsonElement root, ReadOnlyMemory<byte> binary, List<SpecFault> faults)
    {
        var inputs = Member(root, "inputs");
        if (inputs.ValueKind != JsonValueKind.Array || inputs.GetArrayLength() != 1 || inputs[0].ValueKind != JsonValueKind.Object)
        {
            faults.Add(new SpecFault("$.inputs", $"expected a list with one tensor, '{InferenceTensors.TextInput}' of {InferenceTensors.Bytes}; sampling options go into 'parameters'."));
            return ([], []);
        }

        var input = inputs[0];
        if (Text(input, "name") != InferenceTensors.TextInput || Text(input, "datatype") != InferenceTensors.Bytes)
        {
            faults.Add(new SpecFault("$.inputs[0]", $"found '{Text(input, "name")}' of {Text(input, "datatype")}; the model's input is '{InferenceTensors.TextInput}' of {InferenceTensors.Bytes}."));
        }

        var prompts = new List<string>();
        var parameters = Member(input, "parameters");
        var size = parameters.ValueKind == JsonValueKind.Object ? Member(parameters, "binary_data_size") : default;
        if (size.ValueKind != JsonValueKind.Undefined)
        {
            ReadBinary(size, binary, prompts, faults);
        }
        else if (!Flatten(Member(input, "data"), prompts))
        {
            faults.Add(new SpecFault("$.inputs[0].data", "expected a list of strings."));
        }

        var shape = ReadShape(input);
        if (shape is null || shape.Aggregate(1L, (product, length) => product * length) != prompts.Count)
        {
            faults.Add(new SpecFault("$.inputs[0].shape", $"{Member(input, "shape")} does not fit {prompts.Count} elements of data; expected [{prompts.Count}]."));
        }

        if (prompts.Count is 0 or > MaxPrompts)
        {
            faults.Add(new SpecFault("$.inputs[0].data", $"{prompts.Count} prompts; expected 1 to {MaxPrompts}. Send a batch-infer job for more."));
        }

        return (prompts, shape ?? []);
    }

    private static long[]? ReadShape(JsonElement input)
    {
        var shape = Member(input, "shape");
        var fits = shape.ValueKind == JsonValueKind.Array && shape.GetArrayLength() is >= 1 and <= 4
            && shape.EnumerateArray().All(length => length.ValueKind == JsonValueKind.Number && length.TryGetInt64(out var number) && number is >= 1 and <= 1_000_000);
        return fits ? [.. shape.EnumerateArray().Select(length => length.GetInt64())] : null;
    }

    /// <summary>Elements one after another, each behind its length as a little-endian 32-bit number.</summary>
    private static void ReadBinary(JsonElement size, ReadOnlyMemory<byte> binary, List<string> prompts, List<SpecFault> faults)
    {
        if (size.ValueKind != JsonValueKind.Number || !size.TryGetInt32(out var bytes) || bytes != binary.Length)
        {
            faults.Add(new SpecFault("$.inputs[0].parameters.binary_data_size", $"{size}; {binary.Length} bytes follow the JSON. The header Inference-Header-Content-Length says where it ends."));
            return;
        }

        var rest = binary.Span;
        while (rest.Length >= LengthPrefixBytes && BinaryPrimitives.ReadUInt32LittleEndian(rest) is var length && length <= rest.Length - LengthPrefixBytes)
        {
            try
            {
                prompts.Add(Strict.GetString(rest.Slice(LengthPrefixBytes, (int)length)));
            }
            catch (DecoderFallbackException)
            {
                faults.Add(new SpecFault("$.inputs[0].data", $"element {prompts.Count} is not UTF-8."));
                return;
            }

            rest = rest[(LengthPrefixBytes + (int)length)..];
        }

        if (rest.Length > 0)
        {
            faults.Add(new SpecFault("$.inputs[0].data", $"element {prompts.Count} of the binary data is cut off: {rest.Length} bytes are left."));
        }
    }

    private static bool Flatten(JsonElement data, List<string> prompts)
    {
        if (data.ValueKind == JsonValueKind.String)
        {
            prompts.Add(data.GetString()!);
            return true;
        }

        return data.ValueKind == JsonValueKind.Array && data.EnumerateArray().All(element => Flatten(element, prompts));
    }

    private static List<(string Name, bool IsBinary)> ReadOutputs(JsonElement root, bool allBinary, List<SpecFault> faults)
    {
        var outputs = Member(root, "outputs");
        if (outputs.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null)
        {
            return [.. InferenceTensors.Outputs.Select(name => (name, allBinary))];
        }

        var wanted = new List<(string, bool)>();
        foreach (var output in outputs.ValueKind == JsonValueKind.Array ? outputs.EnumerateArray().ToArray() : [])
        {
            var name = output.ValueKind == JsonValueKind.Object ? Text(output, "name") : null;
            if (name is null || !InferenceTensors.Outputs.Contains(name))
            {
                faults.Add(new SpecFault("$.outputs", $"'{name}' is no output; there are {string.Join(", ", InferenceTensors.Outputs)}."));
                continue;
            }

            var parameters = Member(output, "parameters");
            var binary = parameters.ValueKind == JsonValueKind.Object ? Member(parameters, "binary_data") : default;
            wanted.Add((name, binary.ValueKind == JsonValueKind.Undefined ? allBinary : binary.ValueKind == JsonValueKind.True));
        }

        if (wanted.Count == 0 && faults.Count == 0)
        {
            faults.Add(new SpecFault("$.outputs", "expected a list with at least one output, or none at all for every output."));
        }

        return wanted;
    }

    private static JsonElement Member(JsonElement value, string name) => value.TryGetProperty(name, out var member) ? member : default;

    private static string? Text(JsonElement value, string name) => Member(value, name) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
}
