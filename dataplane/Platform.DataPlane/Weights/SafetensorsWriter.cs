using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;

namespace Platform.DataPlane.Weights;

/// <summary>One tensor to write.</summary>
/// <param name="Name">Name, unique within the file.</param>
/// <param name="Type">Element type.</param>
/// <param name="Shape">Extents, outermost first.</param>
/// <param name="Bytes">Row-major, little-endian; as long as type and shape say.</param>
public sealed record TensorBytes(string Name, TensorType Type, IReadOnlyList<long> Shape, ReadOnlyMemory<byte> Bytes);

/// <summary>Writes safetensors files.</summary>
public static class SafetensorsWriter
{
    /// <summary>The data section begins at a multiple of this, so that a reader of whole pages finds tensors aligned for SIMD; the format asks for 8.</summary>
    private const int DataAlignmentBytes = 64;

    /// <summary>Writes a whole file: header, then the tensors in the order given (write them in the order in which the model reads them).</summary>
    /// <exception cref="ArgumentException">A tensor's bytes do not fit its type and shape, or a name occurs twice.</exception>
    public static async Task WriteAsync(Stream output, IReadOnlyList<TensorBytes> tensors, IReadOnlyDictionary<string, string>? metadata = null, CancellationToken cancellationToken = default)
    {
        await output.WriteAsync(Header(tensors, metadata), cancellationToken);
        foreach (var tensor in tensors)
        {
            await output.WriteAsync(tensor.Bytes, cancellationToken);
        }
    }

    private static byte[] Header(IReadOnlyList<TensorBytes> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var buffer = new ArrayBufferWriter<byte>();
        buffer.Write(stackalloc byte[SafetensorsHeader.PrefixLengthBytes]);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            WriteMetadata(json, metadata);
            WriteTensors(json, tensors);
            json.WriteEndObject();
        }

        var padding = -buffer.WrittenCount & (DataAlignmentBytes - 1);
        buffer.GetSpan(padding + 1)[..padding].Fill((byte)' ');
        buffer.Advance(padding);
        var header = buffer.WrittenSpan.ToArray();
        BinaryPrimitives.WriteUInt64LittleEndian(header, (ulong)(header.Length - SafetensorsHeader.PrefixLengthBytes));
        return header;
    }

    private static void WriteMetadata(Utf8JsonWriter json, IReadOnlyDictionary<string, string>? metadata)
    {
        if (metadata is null)
        {
            return;
        }

        json.WriteStartObject("__metadata__");
        foreach (var (key, value) in metadata)
        {
            json.WriteString(key, value);
        }

        json.WriteEndObject();
    }

    private static void WriteTensors(Utf8JsonWriter json, IReadOnlyList<TensorBytes> tensors)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var offset = 0L;
        foreach (var tensor in tensors)
        {
            var expected = tensor.Shape.Aggregate((long)tensor.Type.WidthBytes(), static (product, extent) => checked(product * extent));
            if (tensor.Bytes.Length != expected)
            {
                throw new ArgumentException($"Tensor '{tensor.Name}' has {tensor.Bytes.Length} bytes; its shape [{string.Join(", ", tensor.Shape)}] of {tensor.Type.SafetensorsName()} needs {expected}.", nameof(tensors));
            }

            if (!names.Add(tensor.Name))
            {
                throw new ArgumentException($"Tensor '{tensor.Name}' occurs twice.", nameof(tensors));
            }

            json.WriteStartObject(tensor.Name);
            json.WriteString("dtype", tensor.Type.SafetensorsName());
            json.WriteStartArray("shape");
            foreach (var extent in tensor.Shape)
            {
                json.WriteNumberValue(extent);
            }

            json.WriteEndArray();
            json.WriteStartArray("data_offsets");
            json.WriteNumberValue(offset);
            json.WriteNumberValue(offset + expected);
            json.WriteEndArray();
            json.WriteEndObject();
            offset += expected;
        }
    }
}
