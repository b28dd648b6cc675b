using System.Text.Json;

namespace Platform.Worker.Engines.Llama;

/// <summary>Reads a <see cref="LlamaConfig"/> and collects what is wrong with it.</summary>
internal sealed class LlamaConfigReader(JsonElement root)
{
    /// <summary>What Hugging Face's classes of both families take where the file says nothing; null in the file is no window.</summary>
    private const int DefaultWindow = 4096;

    /// <summary>Qwen 2's default of <c>max_window_layers</c>.</summary>
    private const int DefaultFirstWindowedLayer = 28;

    private readonly List<string> _faults = [];

    public LlamaConfig Read()
    {
        var family = root.TryGetProperty("architectures", out var list) && list.ValueKind == JsonValueKind.Array && list.GetArrayLength() > 0 ? list[0].GetString() : null;
        if (family is null || !LlamaConfig.Families.Contains(family))
        {
            throw EngineException.ModelInvalid($"config.json names the architecture '{family ?? "(none)"}'; supported: {string.Join(", ", LlamaConfig.Families)}.");
        }

        var hidden = Size("hidden_size", 1 << 20);
        var heads = Size("num_attention_heads", 1 << 16);
        var qwen2 = family == "Qwen2ForCausalLM";
        var layers = Size("num_hidden_layers", 4096);
        var config = new LlamaConfig
        {
            Family = family,
            HiddenSize = hidden,
            IntermediateSize = Size("intermediate_size", 1 << 22),
            LayerCount = layers,
            HeadCount = heads,
            KeyValueHeadCount = Size("num_key_value_heads", 1 << 16, heads),
            HeadSize = Size("head_dim", 1 << 16, heads > 0 && hidden % heads == 0 ? hidden / heads : 0),
            VocabularySize = Size("vocab_size", 1 << 24),
            ContextLength = Size("max_position_embeddings", 1 << 24),
            NormEpsilon = (float)Number("rms_norm_eps", 1e-6),
            RopeTheta = RopeParameters() is { } rope && rope.TryGetProperty("rope_theta", out var theta) ? theta.GetDouble() : Number("rope_theta", 10000),
            RopeScaling = ReadScaling(),
            SlidingWindow = family == "MistralForCausalLM" || (qwen2 && Flag("use_sliding_window")) ? ReadWindow() : null,
            WindowedLayers = qwen2 ? ReadWindowedLayers(layers) : [.. Enumerable.Repeat(true, layers)],
            TiedEmbeddings = Flag("tie_word_embeddings"),
            QkvBias = qwen2 || Flag("attention_bias"),
            OutputBias = !qwen2 && Flag("attention_bias"),
            MlpBias = Flag("mlp_bias"),
            EndTokens = ReadEndTokens(),
        };
        Check(config);
        return _faults.Count == 0 ? config : throw EngineException.ModelInvalid($"config.json: {string.Join("; ", _faults)}.");
    }

    private void Check(LlamaConfig config)
    {
        var activation = root.TryGetProperty("hidden_act", out var act) ? act.GetString() : "silu";
        Expect(activation is "silu" or "swish", $"hidden_act is '{activation}', supported: silu");
        Expect(config.HeadSize % 2 == 0 && config.HeadSize > 0, $"the size of a head is {config.HeadSize} (head_dim, or hidden_size / num_attention_heads), expected an even number");
        Expect(config.KeyValueHeadCount > 0 && config.HeadCount % config.KeyValueHeadCount == 0, $"num_attention_heads ({config.HeadCount}) is not a multiple of num_key_value_heads ({config.KeyValueHeadCount})");
        Expect(config.NormEpsilon is > 0 and < 1, $"rms_norm_eps is {config.NormEpsilon}, expected above 0 and below 1");
        Expect(config.RopeTheta is > 1 and < 1e12, $"rope_theta is {config.RopeTheta}, expected above 1");
    }

    private RopeScaling? ReadScaling()
    {
        var found = root.TryGetProperty("rope_scaling", out var scaling) && scaling.ValueKind == JsonValueKind.Object ? scaling : RopeParameters();
        if (found is not { } element)
        {
            return null;
        }

        var kind = element.TryGetProperty("rope_type", out var type) || element.TryGetProperty("type", out type) ? type.GetString() : "default";
        switch (kind)
        {
            case "default":
                return null;
            case "linear":
                return new RopeScaling(kind, Positive(element, "factor"), 0, 0, 0);
            case "llama3":
                var scale = new RopeScaling(kind, Positive(element, "factor"), Positive(element, "low_freq_factor"), Positive(element, "high_freq_factor"), (int)Positive(element, "original_max_position_embeddings"));
                Expect(scale.HighFrequencyFactor > scale.LowFrequencyFactor, "rope_scaling: high_freq_factor is not above low_freq_factor");
                return scale;
            default:
                Expect(false, $"rope_scaling is of the kind '{kind}', supported: default, linear, llama3");
                return null;
        }
    }

    private int? ReadWindow() => root.TryGetProperty("sliding_window", out var value) && value.ValueKind == JsonValueKind.Null ? null : Size("sliding_window", 1 << 24, DefaultWindow);

    /// <summary>Newer files of Qwen 2 name the kind of each layer; in older ones the window begins at a layer.</summary>
    private bool[] ReadWindowedLayers(int layers)
    {
        if (!root.TryGetProperty("layer_types", out var types) || types.ValueKind != JsonValueKind.Array)
        {
            var first = root.TryGetProperty("max_window_layers", out var value) && value.ValueKind == JsonValueKind.Number ? value.GetInt32() : DefaultFirstWindowedLayer;
            return [.. Enumerable.Range(0, layers).Select(layer => layer >= first)];
        }

        var kinds = types.EnumerateArray().Select(static type => type.GetString()).ToList();
        Expect(kinds.Count == layers, $"layer_types has {kinds.Count} entries for {layers} layers");
        Expect(kinds.All(static kind => kind is "full_attention" or "sliding_attention"), $"layer_types are {string.Join(", ", kinds.Distinct().Take(4))}, supported: full_attention, sliding_attention");
        return [.. kinds.Select(static kind => kind == "sliding_attention")];
    }

    /// <summary>Newer files keep everything about rotary positions in one object.</summary>
    private JsonElement? RopeParameters() => root.TryGetProperty("rope_parameters", out var value) && value.ValueKind == JsonValueKind.Object ? value : null;

    private List<int> ReadEndTokens()
    {
        if (!root.TryGetProperty("eos_token_id", out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return [];
        }

        return value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray().Select(id => id.GetInt32())] : [value.GetInt32()];
    }

    private double Positive(JsonElement element, string name)
    {
        var value = element.TryGetProperty(name, out var number) && number.ValueKind == JsonValueKind.Number ? number.GetDouble() : 0;
        Expect(value is > 0 and < 1e9, $"rope_scaling.{name} is missing or not above 0");
        return value is > 0 and < 1e9 ? value : 1;
    }

    private int Size(string name, int limit, int? otherwise = null)
    {
        if (!root.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            Expect(otherwise is not null, $"{name} is missing");
            return otherwise ?? 0;
        }

        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var size) && size >= 1 && size <= limit)
        {
            return size;
        }

        _faults.Add($"{name} is {value.GetRawText()}, expected 1 to {limit}");
        return 0;
    }

    private double Number(string name, double otherwise) => root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetDouble() : otherwise;

    private bool Flag(string name) => root.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;

    private void Expect(bool good, string fault)
    {
        if (!good)
        {
            _faults.Add(fault);
        }
    }
}
