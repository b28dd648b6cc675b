using System.Text;

namespace Platform.UnitTests.Engines;

/// <summary>A Llama with random weights and a vocabulary of bytes as a GGUF file, version 3: what llama.cpp reads (layout: the file ggml/docs/gguf.md of the ggml project).</summary>
internal static class TinyGguf
{
    private const int Hidden = 32;
    private const int Inner = 64;
    private const int Heads = 4;
    private const int Alignment = 32;
    private const int Vocabulary = 259;

    public static byte[] Write()
    {
        var values = Values();
        var tensors = Tensors().ToList();
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write("GGUF"u8);
        writer.Write(3u);
        writer.Write((ulong)tensors.Count);
        writer.Write((ulong)values.Count);
        foreach (var (key, value) in values)
        {
            WriteString(writer, key);
            WriteValue(writer, value);
        }

        var offset = 0UL;
        foreach (var (name, shape) in tensors)
        {
            WriteString(writer, name);
            writer.Write((uint)shape.Length);
            foreach (var extent in shape)
            {
                writer.Write((ulong)extent);
            }

            writer.Write(0u); // F32
            writer.Write(offset);
            offset += RoundUp((ulong)shape.Aggregate(sizeof(float), static (product, extent) => product * extent));
        }

        Pad(writer);
        var random = new Random(7);
        foreach (var (_, shape) in tensors)
        {
            var count = shape.Aggregate(1, static (product, extent) => product * extent);
            for (var i = 0; i < count; i++)
            {
                writer.Write(shape.Length == 1 ? 1f : (float)((random.NextDouble() - 0.5) * 0.5));
            }

            Pad(writer);
        }

        writer.Flush();
        return stream.ToArray();
    }

    /// <summary>Extents innermost first, as the format has them.</summary>
    private static IEnumerable<(string Name, int[] Shape)> Tensors()
    {
        yield return ("token_embd.weight", [Hidden, Vocabulary]);
        yield return ("blk.0.attn_norm.weight", [Hidden]);
        foreach (var part in (string[])["attn_q", "attn_k", "attn_v", "attn_output"])
        {
            yield return ($"blk.0.{part}.weight", [Hidden, Hidden]);
        }

        yield return ("blk.0.ffn_norm.weight", [Hidden]);
        yield return ("blk.0.ffn_gate.weight", [Hidden, Inner]);
        yield return ("blk.0.ffn_up.weight", [Hidden, Inner]);
        yield return ("blk.0.ffn_down.weight", [Inner, Hidden]);
        yield return ("output_norm.weight", [Hidden]);
        yield return ("output.weight", [Hidden, Vocabulary]);
    }

    private static List<(string Key, object Value)> Values()
    {
        // A SentencePiece vocabulary: three control tokens, then one token per byte.
        string[] tokens = ["<unk>", "<s>", "</s>", .. Enumerable.Range(0, 256).Select(value => $"<0x{value:X2}>")];
        return
        [
            ("general.architecture", "llama"),
            ("general.name", "tiny"),
            ("llama.context_length", 256u),
            ("llama.embedding_length", (uint)Hidden),
            ("llama.block_count", 1u),
            ("llama.feed_forward_length", (uint)Inner),
            ("llama.attention.head_count", (uint)Heads),
            ("llama.attention.head_count_kv", (uint)Heads),
            ("llama.attention.layer_norm_rms_epsilon", 1e-5f),
            ("llama.rope.dimension_count", (uint)(Hidden / Heads)),
            ("llama.vocab_size", (uint)Vocabulary),
            ("tokenizer.ggml.model", "llama"),
            ("tokenizer.ggml.tokens", tokens),
            ("tokenizer.ggml.scores", new float[Vocabulary]),
            ("tokenizer.ggml.token_type", (int[])[2, 3, 3, .. Enumerable.Repeat(6, 256)]),
            ("tokenizer.ggml.bos_token_id", 1u),
            ("tokenizer.ggml.eos_token_id", 2u),
            ("tokenizer.ggml.unknown_token_id", 0u),
        ];
    }

    private static void WriteValue(BinaryWriter writer, object value)
    {
        switch (value)
        {
            case uint number:
                writer.Write(4u);
                writer.Write(number);
                break;
            case float number:
                writer.Write(6u);
                writer.Write(number);
                break;
            case string text:
                writer.Write(8u);
                WriteString(writer, text);
                break;
            case string[] texts:
                WriteArray(writer, 8, texts, WriteString);
                break;
            case float[] numbers:
                WriteArray(writer, 6, numbers, static (target, number) => target.Write(number));
                break;
            case int[] numbers:
                WriteArray(writer, 5, numbers, static (target, number) => target.Write(number));
                break;
            default:
                throw new ArgumentException($"A {value.GetType().Name} has no place in the file.", nameof(value));
        }
    }

    private static void WriteArray<T>(BinaryWriter writer, uint type, T[] items, Action<BinaryWriter, T> write)
    {
        writer.Write(9u);
        writer.Write(type);
        writer.Write((ulong)items.Length);
        foreach (var item in items)
        {
            write(writer, item);
        }
    }

    private static void WriteString(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private static ulong RoundUp(ulong bytes) => (bytes + Alignment - 1) / Alignment * Alignment;

    private static void Pad(BinaryWriter writer)
    {
        while (writer.BaseStream.Position % Alignment != 0)
        {
            writer.Write((byte)0);
        }
    }
}
