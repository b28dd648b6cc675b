using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Platform.Jobs;

namespace Platform.Worker.Http.InferenceProtocol;

/// <summary>One completed prompt.</summary>
internal sealed record InferenceResult(string Text, string? FinishReason, int Tokens);

/// <summary>Writes the answers of the protocol: inference results as JSON, maybe with binary tensor data behind it, and errors.</summary>
internal static class InferenceAnswer
{
    /// <summary>The results of a call; <c>JsonBytes</c> is null if all of it is JSON.</summary>
    public static (ReadOnlyMemory<byte> Body, int? JsonBytes) Write(string model, InferenceCall call, IReadOnlyList<InferenceResult> results)
    {
        var body = new ArrayBufferWriter<byte>();
        var binary = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(body))
        {
            writer.WriteStartObject();
            writer.WriteString("model_name", model);
            writer.WriteString("model_version", Routes.InferenceModelVersion);
            if (call.Id is { } id)
            {
                writer.WriteString("id", id);
            }

            writer.WriteStartArray("outputs");
            foreach (var (name, isBinary) in call.Outputs)
            {
                WriteOutput(writer, name, call.Shape, results, isBinary ? binary : null);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        if (!call.Outputs.Any(output => output.IsBinary))
        {
            return (body.WrittenMemory, null);
        }

        var length = body.WrittenCount;
        body.Write(binary.WrittenSpan);
        return (body.WrittenMemory, length);
    }

    /// <summary>The body of an answer to <c>generate</c>, or of one event of <c>generate_stream</c>.</summary>
    public static byte[] WriteText(string model, string? id, string text, string? finishReason)
    {
        var body = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(body))
        {
            writer.WriteStartObject();
            if (id is not null)
            {
                writer.WriteString("id", id);
            }

            writer.WriteString("model_name", model);
            writer.WriteString("model_version", Routes.InferenceModelVersion);
            writer.WriteString("text_output", text);
            if (finishReason is not null)
            {
                writer.WriteString("finish_reason", finishReason);
            }

            writer.WriteEndObject();
        }

        return body.WrittenSpan.ToArray();
    }

    private static void WriteOutput(Utf8JsonWriter writer, string name, IReadOnlyList<long> shape, IReadOnlyList<InferenceResult> results, ArrayBufferWriter<byte>? binary)
    {
        writer.WriteStartObject();
        writer.WriteString("name", name);
        writer.WriteString("datatype", name == InferenceTensors.CompletionTokens ? InferenceTensors.Int32 : InferenceTensors.Bytes);
        writer.WriteStartArray("shape");
        foreach (var length in shape)
        {
            writer.WriteNumberValue(length);
        }

        writer.WriteEndArray();
        if (binary is not null)
        {
            var before = binary.WrittenCount;
            foreach (var result in results)
            {
                Append(binary, name, result);
            }

            writer.WriteStartObject("parameters");
            writer.WriteNumber("binary_data_size", binary.WrittenCount - before);
            writer.WriteEndObject();
        }
        else
        {
            writer.WriteStartArray("data");
            foreach (var result in results)
            {
                WriteElement(writer, name, result);
            }

            writer.WriteEndArray();
        }

        writer.WriteEndObject();
    }

    private static void WriteElement(Utf8JsonWriter writer, string name, InferenceResult result)
    {
        if (name == InferenceTensors.CompletionTokens)
        {
            writer.WriteNumberValue(result.Tokens);
        }
        else
        {
            writer.WriteStringValue(TextOf(name, result));
        }
    }

    private static void Append(ArrayBufferWriter<byte> binary, string name, InferenceResult result)
    {
        if (name == InferenceTensors.CompletionTokens)
        {
            BinaryPrimitives.WriteInt32LittleEndian(binary.GetSpan(sizeof(int)), result.Tokens);
            binary.Advance(sizeof(int));
            return;
        }

        var text = TextOf(name, result);
        BinaryPrimitives.WriteInt32LittleEndian(binary.GetSpan(sizeof(int)), Encoding.UTF8.GetByteCount(text));
        binary.Advance(sizeof(int));
        Encoding.UTF8.GetBytes(text, binary);
    }

    private static string TextOf(string name, InferenceResult result) => name == InferenceTensors.TextOutput ? result.Text : result.FinishReason ?? "";
}
