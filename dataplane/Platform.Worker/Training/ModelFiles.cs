using System.Runtime.InteropServices;
using System.Text.Json;
using Platform.DataPlane.Weights;
using Platform.Worker.Engines.Kernels;
using Platform.Worker.Engines.Tokenizers;

namespace Platform.Worker.Training;

/// <summary>A trained model in Hugging Face layout.</summary>
internal static class ModelFiles
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary><c>config.json</c>.</summary>
    public static byte[] Config(TrainingShape shape, int endOfText) => Write(json =>
    {
        json.WriteStartArray("architectures");
        json.WriteStringValue("LlamaForCausalLM");
        json.WriteEndArray();
        json.WriteString("model_type", "llama");
        json.WriteNumber("hidden_size", shape.Hidden);
        json.WriteNumber("intermediate_size", shape.Intermediate);
        json.WriteNumber("num_hidden_layers", shape.Layers);
        json.WriteNumber("num_attention_heads", shape.Heads);
        json.WriteNumber("num_key_value_heads", shape.KeyValueHeads);
        json.WriteNumber("head_dim", shape.HeadSize);
        json.WriteNumber("vocab_size", shape.Vocabulary);
        json.WriteNumber("max_position_embeddings", shape.Context);
        json.WriteString("hidden_act", "silu");
        json.WriteNumber("rms_norm_eps", shape.NormEpsilon);
        json.WriteNumber("rope_theta", shape.RopeTheta);
        json.WriteBoolean("tie_word_embeddings", true);
        json.WriteBoolean("attention_bias", false);
        json.WriteBoolean("mlp_bias", false);
        json.WriteNumber("bos_token_id", endOfText);
        json.WriteNumber("eos_token_id", endOfText);
        json.WriteString("torch_dtype", "bfloat16");
    });

    /// <summary><c>tokenizer.json</c>; a prompt is begun by the token that ends the text before it.</summary>
    public static byte[] Tokenizer(LearnedVocabulary vocabulary) => Write(json =>
    {
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        json.WriteStartArray("added_tokens");
        WriteEndOfText(json, vocabulary.EndOfTextId);
        json.WriteEndArray();
        json.WriteNull("normalizer");
        WriteByteLevel(json, "pre_tokenizer");
        WriteTemplate(json, vocabulary.EndOfTextId);
        WriteByteLevel(json, "decoder");
        WriteModel(json, vocabulary);
    });

    /// <summary><c>model.safetensors</c>, in bf16, in the order in which a token passes through the tensors.</summary>
    public static Task WriteWeightsAsync(Stream output, Parameters weights, IReadOnlyDictionary<string, string> metadata, CancellationToken cancellationToken) =>
        SafetensorsWriter.WriteAsync(output, [.. weights.All.Select(ToBf16)], metadata, cancellationToken);

    /// <summary>A parameter as it goes into the file.</summary>
    public static TensorBytes ToBf16(Parameter parameter)
    {
        var bytes = new byte[parameter.Values.Length * sizeof(ushort)];
        var target = MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan());
        for (var i = 0; i < target.Length; i++)
        {
            target[i] = Bf16.FromSingle(parameter.Values.Span[i]);
        }

        return new TensorBytes(parameter.Name, TensorType.BF16, parameter.Rows == 1 ? [parameter.Columns] : [parameter.Rows, parameter.Columns], bytes);
    }

    private static void WriteEndOfText(Utf8JsonWriter json, int id)
    {
        json.WriteStartObject();
        json.WriteNumber("id", id);
        json.WriteString("content", BpeTrainer.EndOfText);
        json.WriteBoolean("single_word", false);
        json.WriteBoolean("lstrip", false);
        json.WriteBoolean("rstrip", false);
        json.WriteBoolean("normalized", false);
        json.WriteBoolean("special", true);
        json.WriteEndObject();
    }

    private static void WriteByteLevel(Utf8JsonWriter json, string member)
    {
        json.WriteStartObject(member);
        json.WriteString("type", "ByteLevel");
        json.WriteBoolean("add_prefix_space", false);
        json.WriteBoolean("trim_offsets", true);
        json.WriteBoolean("use_regex", true);
        json.WriteEndObject();
    }

    private static void WriteTemplate(Utf8JsonWriter json, int endOfText)
    {
        static void WritePiece(Utf8JsonWriter json, string kind, string id, int typeId)
        {
            json.WriteStartObject();
            json.WriteStartObject(kind);
            json.WriteString("id", id);
            json.WriteNumber("type_id", typeId);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteStartObject("post_processor");
        json.WriteString("type", "TemplateProcessing");
        json.WriteStartArray("single");
        WritePiece(json, "SpecialToken", BpeTrainer.EndOfText, 0);
        WritePiece(json, "Sequence", "A", 0);
        json.WriteEndArray();
        json.WriteStartArray("pair");
        WritePiece(json, "SpecialToken", BpeTrainer.EndOfText, 0);
        WritePiece(json, "Sequence", "A", 0);
        WritePiece(json, "Sequence", "B", 1);
        json.WriteEndArray();
        json.WriteStartObject("special_tokens");
        json.WriteStartObject(BpeTrainer.EndOfText);
        json.WriteString("id", BpeTrainer.EndOfText);
        json.WriteStartArray("ids");
        json.WriteNumberValue(endOfText);
        json.WriteEndArray();
        json.WriteStartArray("tokens");
        json.WriteStringValue(BpeTrainer.EndOfText);
        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteModel(Utf8JsonWriter json, LearnedVocabulary vocabulary)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteNull("unk_token");
        json.WriteNull("continuing_subword_prefix");
        json.WriteNull("end_of_word_suffix");
        json.WriteBoolean("fuse_unk", false);
        json.WriteBoolean("byte_fallback", false);
        json.WriteBoolean("ignore_merges", false);
        json.WriteStartObject("vocab");
        for (var id = 0; id < vocabulary.Entries.Count; id++)
        {
            json.WriteNumber(ByteAlphabet.ToEntry(vocabulary.Entries[id]), id);
        }

        json.WriteNumber(BpeTrainer.EndOfText, vocabulary.EndOfTextId);
        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach (var (left, right) in vocabulary.Merges)
        {
            json.WriteStringValue($"{ByteAlphabet.ToEntry(vocabulary.Entries[left])} {ByteAlphabet.ToEntry(vocabulary.Entries[right])}");
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static byte[] Write(Action<Utf8JsonWriter> members)
    {
        var stream = new MemoryStream();
        using (var json = new Utf8JsonWriter(stream, Indented))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }
}
