using System.Text.Json;
using Platform.Jobs;
using Platform.Worker.Engines;

namespace Platform.Worker.Http.InferenceProtocol;

/// <summary>Reads the sampling part of a call from a JSON object of parameters; the names and defaults are those of <c>/v1/completions</c>.</summary>
internal sealed class SamplingParameters
{
    private const int DefaultMaxTokens = 16;
    private const int MaxStops = 16;
    private const string Known = "max_tokens, temperature, top_p, top_k, seed, stop";

    private int? _maxTokens;
    private double? _temperature;
    private double? _topP;
    private int? _topK;
    private long? _seed;
    private IReadOnlyList<string> _stop = [];

    /// <summary>Takes every member of <paramref name="parameters"/>; wrong and unknown ones become faults under <paramref name="path"/>.</summary>
    /// <param name="parameters">A JSON object, or nothing.</param>
    /// <param name="path">Where it stands, for messages.</param>
    /// <param name="isOther">Says which further names are fit, because something else reads or ignores them.</param>
    /// <param name="faults">Takes each fault.</param>
    public void Read(JsonElement parameters, string path, Func<string, bool> isOther, List<SpecFault> faults)
    {
        if (parameters.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null)
        {
            return;
        }

        if (parameters.ValueKind != JsonValueKind.Object)
        {
            faults.Add(new SpecFault(path, $"a JSON {parameters.ValueKind}; expected an object."));
            return;
        }

        foreach (var member in parameters.EnumerateObject().Where(member => member.Value.ValueKind != JsonValueKind.Null && !isOther(member.Name)))
        {
            if (!Take(member.Name, member.Value, out var expected))
            {
                faults.Add(new SpecFault($"{path}.{member.Name}", expected is null ? $"not served; known are {Known}." : $"{member.Value.GetRawText()} is out of range; expected {expected}."));
            }
        }
    }

    public GenerationRequest ToRequest() => new()
    {
        Prompt = "",
        MaxTokens = _maxTokens ?? DefaultMaxTokens,
        Temperature = _temperature ?? 1,
        TopP = _topP ?? 1,
        TopK = _topK ?? 0,
        Seed = _seed,
        Stop = _stop,
    };

    private bool Take(string name, JsonElement value, out string? expected)
    {
        expected = null;
        switch (name)
        {
            case "max_tokens":
                expected = "a whole number from 1";
                _maxTokens = Whole(value) is >= 1 and <= int.MaxValue and var tokens ? (int)tokens : null;
                return _maxTokens is not null;
            case "temperature":
                expected = "0 to 2";
                _temperature = Real(value) is >= 0 and <= 2 and var temperature ? temperature : null;
                return _temperature is not null;
            case "top_p":
                expected = "above 0 to 1";
                _topP = Real(value) is > 0 and <= 1 and var topP ? topP : null;
                return _topP is not null;
            case "top_k":
                expected = "a whole number from 0 (all)";
                _topK = Whole(value) is >= 0 and <= int.MaxValue and var topK ? (int)topK : null;
                return _topK is not null;
            case "seed":
                expected = "a whole number";
                _seed = Whole(value);
                return _seed is not null;
            case "stop":
                expected = $"a string, or a list of at most {MaxStops} strings, none of them empty";
                return TakeStop(value);
            default:
                return false;
        }
    }

    private bool TakeStop(JsonElement value)
    {
        JsonElement[] items = value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [value];
        if (items.Length > MaxStops || !items.All(item => item.ValueKind == JsonValueKind.String && item.GetString()!.Length > 0))
        {
            return false;
        }

        _stop = [.. items.Select(item => item.GetString()!)];
        return true;
    }

    private static long? Whole(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number) ? number : null;

    private static double? Real(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) ? number : null;
}
