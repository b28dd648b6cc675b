using System.Text.Json.Nodes;

namespace Platform.UnitTests.Engines;

/// <summary>The textbook decoder: doubles, no cache, no batch, no tricks. Written from the papers, shares nothing with the engine but the names of tensors.</summary>
internal sealed class ReferenceDecoder(RandomModel model)
{
    private readonly Platform.Worker.Engines.Llama.LlamaConfig _config = model.Config;
    private readonly Dictionary<string, double[]> _weights = model.Tensors.ToDictionary(tensor => tensor.Name, tensor => model.Values(tensor.Name));

    /// <summary>Logits after the last of these tokens.</summary>
    public double[] Logits(IReadOnlyList<int> tokens)
    {
        var embedding = _weights["model.embed_tokens.weight"];
        var stream = tokens.Select(token => embedding.AsSpan(token * _config.HiddenSize, _config.HiddenSize).ToArray()).ToArray();
        for (var layer = 0; layer < _config.LayerCount; layer++)
        {
            var prefix = $"model.layers.{layer}.";
            var attended = Attention(prefix, Window(layer), [.. stream.Select(x => Norm(x, prefix + "input_layernorm.weight"))]);
            stream = [.. stream.Zip(attended, Plus)];
            stream = [.. stream.Select(x => Plus(x, Mlp(prefix, Norm(x, prefix + "post_attention_layernorm.weight"))))];
        }

        return Apply(Norm(stream[^1], "model.norm.weight"), _config.TiedEmbeddings ? embedding : _weights["lm_head.weight"]);
    }

    public List<int> Greedy(IReadOnlyList<int> prompt, int count)
    {
        var tokens = prompt.ToList();
        for (var i = 0; i < count; i++)
        {
            var logits = Logits(tokens);
            tokens.Add(Array.IndexOf(logits, logits.Max()));
        }

        return tokens[prompt.Count..];
    }

    /// <summary>As Hugging Face's configurations say it; read here once more, since that is what goes wrong.</summary>
    private int Window(int layer)
    {
        var config = JsonNode.Parse(model.ConfigJson)!;
        var isWindowed = (string)config["architectures"]![0]! switch
        {
            "MistralForCausalLM" => true,
            "Qwen2ForCausalLM" when config["layer_types"] is { } types => (string)types[layer]! == "sliding_attention",
            "Qwen2ForCausalLM" => (bool?)config["use_sliding_window"] == true && layer >= ((int?)config["max_window_layers"] ?? 28),
            _ => false,
        };
        return isWindowed ? (int?)config["sliding_window"] ?? int.MaxValue : int.MaxValue;
    }

    private double[][] Attention(string prefix, int window, double[][] rows)
    {
        int size = _config.HeadSize, group = _config.HeadCount / _config.KeyValueHeadCount;
        var queries = rows.Select((x, position) => Rotate(Linear(x, prefix + "self_attn.q_proj"), position)).ToArray();
        var keys = rows.Select((x, position) => Rotate(Linear(x, prefix + "self_attn.k_proj"), position)).ToArray();
        var values = rows.Select(x => Linear(x, prefix + "self_attn.v_proj")).ToArray();
        var result = new double[rows.Length][];
        for (var t = 0; t < rows.Length; t++)
        {
            var joined = new double[_config.HeadCount * size];
            for (var h = 0; h < _config.HeadCount; h++)
            {
                var first = Math.Max(0, t + 1 - window);
                var weights = Enumerable.Range(first, t + 1 - first)
                    .Select(s => Math.Exp(Enumerable.Range(0, size).Sum(i => queries[t][(h * size) + i] * keys[s][(h / group * size) + i]) / Math.Sqrt(size))).ToArray();
                for (var i = 0; i < size; i++)
                {
                    joined[(h * size) + i] = weights.Select((w, s) => w * values[first + s][(h / group * size) + i]).Sum() / weights.Sum();
                }
            }

            result[t] = Linear(joined, prefix + "self_attn.o_proj");
        }

        return result;
    }

    private double[] Rotate(double[] heads, int position)
    {
        var half = _config.HeadSize / 2;
        var turned = (double[])heads.Clone();
        for (var start = 0; start < heads.Length; start += _config.HeadSize)
        {
            for (var i = 0; i < half; i++)
            {
                var angle = position * Frequency(i);
                turned[start + i] = (heads[start + i] * Math.Cos(angle)) - (heads[start + half + i] * Math.Sin(angle));
                turned[start + half + i] = (heads[start + half + i] * Math.Cos(angle)) + (heads[start + i] * Math.Sin(angle));
            }
        }

        return turned;
    }

    private double Frequency(int i)
    {
        var frequency = Math.Pow(_config.RopeTheta, -2.0 * i / _config.HeadSize);
        if (_config.RopeScaling is not { } scaling)
        {
            return frequency;
        }

        if (scaling.Kind == "linear")
        {
            return frequency / scaling.Factor;
        }

        // Turns over the original context, against the two bounds: few turns are stretched, many are kept.
        var turns = scaling.OriginalContextLength * frequency / (2 * Math.PI);
        var keep = Math.Clamp((turns - scaling.LowFrequencyFactor) / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor), 0, 1);
        return (keep * frequency) + ((1 - keep) * frequency / scaling.Factor);
    }

    private double[] Mlp(string prefix, double[] x)
    {
        var gate = Linear(x, prefix + "mlp.gate_proj");
        var up = Linear(x, prefix + "mlp.up_proj");
        return Linear([.. gate.Select((g, i) => g / (1 + Math.Exp(-g)) * up[i])], prefix + "mlp.down_proj");
    }

    private double[] Linear(double[] x, string name)
    {
        var y = Apply(x, _weights[name + ".weight"]);
        return _weights.TryGetValue(name + ".bias", out var bias) ? Plus(y, bias) : y;
    }

    private double[] Norm(double[] x, string name)
    {
        var scale = 1 / Math.Sqrt((x.Sum(v => v * v) / x.Length) + _config.NormEpsilon);
        return [.. x.Select((v, i) => v * scale * _weights[name][i])];
    }

    private static double[] Apply(double[] x, double[] matrix)
    {
        var y = new double[matrix.Length / x.Length];
        for (var o = 0; o < y.Length; o++)
        {
            for (var i = 0; i < x.Length; i++)
            {
                y[o] += x[i] * matrix[(o * x.Length) + i];
            }
        }

        return y;
    }

    private static double[] Plus(double[] left, double[] right) => [.. left.Zip(right, (a, b) => a + b)];
}
