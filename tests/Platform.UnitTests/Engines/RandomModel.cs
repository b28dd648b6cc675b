using System.Text.Json;
using Platform.DataPlane.Weights;
using Platform.Worker.Engines.Kernels;
using Platform.Worker.Engines.Llama;

namespace Platform.UnitTests.Engines;

/// <summary>A small model with random weights, in the files in which any model comes.</summary>
internal sealed class RandomModel
{
    private RandomModel(byte[] config, byte[] tokenizer, List<TensorBytes> tensors)
    {
        (ConfigJson, TokenizerJson, Tensors) = (config, tokenizer, tensors);
        Config = LlamaConfig.Parse(config);
    }

    public byte[] ConfigJson { get; }

    public byte[] TokenizerJson { get; }

    public List<TensorBytes> Tensors { get; }

    public LlamaConfig Config { get; }

    /// <param name="seed">Same seed, same weights.</param>
    /// <param name="change">Members of config.json to add or replace; null removes one.</param>
    /// <param name="type">Type of the matrices; vectors are F32.</param>
    public static RandomModel Create(int seed, Dictionary<string, object?>? change = null, TensorType type = TensorType.BF16)
    {
        var members = new Dictionary<string, object?>
        {
            ["architectures"] = new[] { "LlamaForCausalLM" },
            ["hidden_size"] = 48,
            ["intermediate_size"] = 80,
            ["num_hidden_layers"] = 2,
            ["num_attention_heads"] = 4,
            ["num_key_value_heads"] = 2,
            ["vocab_size"] = 260,
            ["max_position_embeddings"] = 96,
            ["rms_norm_eps"] = 1e-5,
            ["rope_theta"] = 10000.0,
            ["tie_word_embeddings"] = false,
            ["eos_token_id"] = null,
        };
        foreach (var (name, value) in change ?? [])
        {
            members[name] = value;
        }

        var config = JsonSerializer.SerializeToUtf8Bytes(members);
        var random = new Random(seed);
        var tensors = LlamaTensors.Expected(LlamaConfig.Parse(config)).Select(expected => MakeTensor(expected.Name, expected.Shape, type, random)).ToList();
        return new RandomModel(config, ByteTokenizer(), tensors);
    }

    /// <summary>A tokenizer without merges: token id = byte, and one special token with the id 256.</summary>
    public static byte[] ByteTokenizer() => JsonSerializer.SerializeToUtf8Bytes(new
    {
        added_tokens = new[] { new { id = 256, content = "<|end|>", special = true } },
        pre_tokenizer = new { type = "ByteLevel", add_prefix_space = false },
        decoder = new { type = "ByteLevel" },
        model = new { type = "BPE", vocab = Enumerable.Range(0, 256).ToDictionary(value => Platform.Worker.Engines.Tokenizers.ByteAlphabet.ToCharacter((byte)value).ToString(), value => value), merges = Array.Empty<string>() },
    });

    public InMemoryTensors Source() => InMemoryTensors.From(Tensors);

    public Task<LlamaEngine> LoadAsync(LlamaEngineOptions? options = null) =>
        LlamaEngine.LoadAsync(ConfigJson, TokenizerJson, Source(), options ?? new LlamaEngineOptions(), TestContext.Current.CancellationToken);

    /// <summary>The weights as doubles, read without any code of the engine.</summary>
    public double[] Values(string name)
    {
        var tensor = Tensors.Single(t => t.Name == name);
        var bytes = tensor.Bytes.ToArray();
        var width = tensor.Type.WidthBytes();
        return [.. Enumerable.Range(0, bytes.Length / width).Select(i => tensor.Type switch
        {
            TensorType.F32 => BitConverter.ToSingle(bytes, 4 * i),
            TensorType.F16 => (double)BitConverter.ToHalf(bytes, 2 * i),
            TensorType.BF16 => BitConverter.ToSingle([0, 0, bytes[2 * i], bytes[(2 * i) + 1]]),
            TensorType.F8E5M2 => (double)BitConverter.ToHalf([0, bytes[i]]),
            TensorType.F8E4M3 => E4M3(bytes[i]),
            _ => throw new NotSupportedException(),
        })];
    }

    private static double E4M3(byte value)
    {
        int exponent = (value >> 3) & 15, mantissa = value & 7;
        var magnitude = exponent == 0 ? mantissa / 8.0 * Math.Pow(2, -6) : (1 + (mantissa / 8.0)) * Math.Pow(2, exponent - 7);
        return value < 128 ? magnitude : -magnitude;
    }

    private static TensorBytes MakeTensor(string name, long[] shape, TensorType type, Random random)
    {
        var isNorm = name.EndsWith("norm.weight", StringComparison.Ordinal);
        type = shape.Length == 1 ? TensorType.F32 : type;
        var scale = isNorm ? 0.2 : shape.Length == 1 ? 0.3 : 1.2 / Math.Sqrt(shape[1]);
        var bytes = new MemoryStream();
        for (var i = shape.Aggregate(1L, (product, extent) => product * extent); i > 0; i--)
        {
            var value = (float)((((random.NextDouble() + random.NextDouble()) * 1.7) - 1.7) * scale) + (isNorm ? 1 : 0);
            bytes.Write(type switch
            {
                TensorType.F32 => BitConverter.GetBytes(value),
                TensorType.F16 => BitConverter.GetBytes((Half)value),
                TensorType.BF16 => BitConverter.GetBytes(Bf16.FromSingle(value)),
                // Any byte but the NaNs, with an exponent that keeps values near 1.
                TensorType.F8E4M3 => [(byte)(random.Next(0x10, 0x30) | (random.Next(2) << 7))],
                _ => [(byte)(random.Next(0x20, 0x34) | (random.Next(2) << 7))],
            });
        }

        return new TensorBytes(name, type, shape, bytes.ToArray());
    }
}
