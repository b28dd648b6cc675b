using System.Runtime.InteropServices;
using System.Text.Json;
using Platform.DataPlane.Weights;
using Platform.Worker.Engines.Llama;
using Platform.Worker.Engines.Tokenizers;

namespace Platform.Benchmarks.Engine;

/// <summary>A bf16 model with random weights, in memory, of a size that no processor cache holds.</summary>
internal sealed class RandomLlama
{
    public RandomLlama(int hidden, int intermediate, int layers, int heads, int keyValueHeads, int vocabulary)
    {
        ConfigJson = JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, object>
        {
            ["architectures"] = new[] { "LlamaForCausalLM" },
            ["hidden_size"] = hidden,
            ["intermediate_size"] = intermediate,
            ["num_hidden_layers"] = layers,
            ["num_attention_heads"] = heads,
            ["num_key_value_heads"] = keyValueHeads,
            ["vocab_size"] = vocabulary,
            ["max_position_embeddings"] = 2048,
            ["tie_word_embeddings"] = true,
        });
        TokenizerJson = JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, object>
        {
            ["pre_tokenizer"] = new { type = "ByteLevel" },
            ["model"] = new { type = "BPE", vocab = Enumerable.Range(0, 256).ToDictionary(value => ByteAlphabet.ToCharacter((byte)value).ToString(), value => value), merges = Array.Empty<string>() },
        });
        Config = LlamaConfig.Parse(ConfigJson);
        Tensors = InMemoryTensors.From([.. LlamaTensors.Expected(Config).Select(expected => Fill(expected.Name, expected.Shape))]);
    }

    public byte[] ConfigJson { get; }

    public byte[] TokenizerJson { get; }

    public LlamaConfig Config { get; }

    public InMemoryTensors Tensors { get; }

    public long ParameterCount => Tensors.Tensors.Values.Sum(tensor => tensor.Shape.Aggregate(1L, static (product, extent) => product * extent));

    /// <summary>Bytes of weights that a token needs: all matrices once; the embedding table counts as the head.</summary>
    public long BytesPerToken => Tensors.Tensors.Values.Where(tensor => tensor.Shape.Count == 2).Sum(tensor => tensor.LengthBytes);

    /// <summary>The matrices as they lie in memory.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> Matrices() => Tensors.Tensors.Values.Where(tensor => tensor.Shape.Count == 2).Select(tensor => Tensors.GetAsync(tensor.Name).AsTask().GetAwaiter().GetResult());

    private static TensorBytes Fill(string name, long[] shape)
    {
        var bytes = new byte[shape.Aggregate(2L, static (product, extent) => product * extent)];
        var values = MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan());
        var state = (uint)name.Length;
        for (var i = 0; i < values.Length; i++)
        {
            state = (state * 1664525) + 1013904223;
            // Signs and mantissas at random, magnitudes of 1/64 to 1/32; norms are 1.
            values[i] = shape.Length == 1 ? (ushort)0x3f80 : (ushort)(((state >> 16) & 0x807f) | 0x3c80);
        }

        return new TensorBytes(name, TensorType.BF16, shape, bytes);
    }
}
