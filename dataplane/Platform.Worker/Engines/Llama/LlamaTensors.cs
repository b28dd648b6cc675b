using Platform.DataPlane.Weights;

namespace Platform.Worker.Engines.Llama;

/// <summary>Names and shapes of the tensors of a Llama-family model in Hugging Face layout.</summary>
internal static class LlamaTensors
{
    public const string Embedding = "model.embed_tokens.weight";
    public const string FinalNorm = "model.norm.weight";
    public const string Head = "lm_head.weight";

    private const int FaultsToShow = 10;

    public static string InLayer(int layer, string name) => $"model.layers.{layer}.{name}";

    /// <summary>Every tensor that the model needs, in the order in which a token passes through them.</summary>
    public static IEnumerable<(string Name, long[] Shape)> Expected(LlamaConfig config)
    {
        long hidden = config.HiddenSize, inner = config.IntermediateSize, query = config.QuerySize, keyValue = config.KeyValueSize;
        yield return (Embedding, [config.VocabularySize, hidden]);
        for (var i = 0; i < config.LayerCount; i++)
        {
            yield return (InLayer(i, "input_layernorm.weight"), [hidden]);
            (string Part, long Rows, long Columns, bool Bias)[] projections =
            [
                ("self_attn.q_proj", query, hidden, config.QkvBias),
                ("self_attn.k_proj", keyValue, hidden, config.QkvBias),
                ("self_attn.v_proj", keyValue, hidden, config.QkvBias),
                ("self_attn.o_proj", hidden, query, config.OutputBias),
                ("mlp.gate_proj", inner, hidden, config.MlpBias),
                ("mlp.up_proj", inner, hidden, config.MlpBias),
                ("mlp.down_proj", hidden, inner, config.MlpBias),
            ];
            foreach (var (part, rows, columns, bias) in projections)
            {
                if (part == "mlp.gate_proj")
                {
                    yield return (InLayer(i, "post_attention_layernorm.weight"), [hidden]);
                }

                yield return (InLayer(i, part + ".weight"), [rows, columns]);
                if (bias)
                {
                    yield return (InLayer(i, part + ".bias"), [rows]);
                }
            }
        }

        yield return (FinalNorm, [hidden]);
        if (!config.TiedEmbeddings)
        {
            yield return (Head, [config.VocabularySize, hidden]);
        }
    }

    /// <summary>Compares what is there with what the configuration needs; tensors beyond that are ignored.</summary>
    /// <exception cref="EngineException">Something is missing, has another shape, or a type that this engine does not compute with.</exception>
    public static void Check(LlamaConfig config, IReadOnlyDictionary<string, TensorInfo> tensors)
    {
        var faults = new List<string>();
        foreach (var (name, shape) in Expected(config))
        {
            if (!tensors.TryGetValue(name, out var found))
            {
                faults.Add($"'{name}' is missing, expected [{string.Join(", ", shape)}]");
            }
            else if (!found.Shape.SequenceEqual(shape))
            {
                faults.Add($"'{name}' has the shape {found.ShapeText}, config.json needs [{string.Join(", ", shape)}]");
            }
            else if (!LlamaTensorReader.Supports(found.Type))
            {
                faults.Add($"'{name}' is {found.Type.SafetensorsName()}, supported: BF16, F32, F16, F8_E4M3, F8_E5M2");
            }
            else if (found.LengthBytes > int.MaxValue)
            {
                faults.Add($"'{name}' has {found.LengthBytes} bytes, supported: up to {int.MaxValue} per tensor");
            }
        }

        if (faults.Count > 0)
        {
            var rest = faults.Count > FaultsToShow ? $"; and {faults.Count - FaultsToShow} more" : "";
            throw EngineException.ModelInvalid($"The weights do not fit config.json: {string.Join("; ", faults.Take(FaultsToShow))}{rest}.");
        }
    }
}
