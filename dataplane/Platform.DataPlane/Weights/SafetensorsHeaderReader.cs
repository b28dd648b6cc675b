using System.Text.Json;

namespace Platform.DataPlane.Weights;

/// <summary>Reads the JSON of a safetensors header token by token.</summary>
internal static class SafetensorsHeaderReader
{
    private const string MetadataKey = "__metadata__";
    private const int ExtentsToShow = 16;

    /// <summary>Every entry, in the order of the header; offsets are made relative to the beginning of the file.</summary>
    public static (Dictionary<string, string> Metadata, List<TensorInfo> Tensors) Read(string file, ReadOnlySpan<byte> json, long dataOffset)
    {
        Dictionary<string, string>? metadata = null;
        var tensors = new List<TensorInfo>();
        var reader = new Utf8JsonReader(json);
        reader.Read();
        while (Next(ref reader) == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            if (name != MetadataKey)
            {
                tensors.Add(ReadTensor(file, name, ref reader, dataOffset));
            }
            else if (metadata is null)
            {
                metadata = ReadMetadata(file, ref reader);
            }
            else
            {
                throw new WeightsException($"'{file}': '{MetadataKey}' is listed twice.");
            }
        }

        if (reader.Read())
        {
            throw new WeightsException($"'{file}': the header goes on after its closing brace.");
        }

        return (metadata ?? [], tensors);
    }

    private static JsonTokenType Next(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType;
    }

    private static Dictionary<string, string> ReadMetadata(string file, ref Utf8JsonReader reader)
    {
        if (Next(ref reader) != JsonTokenType.StartObject)
        {
            throw Fault(file, MetadataKey, "is not an object");
        }

        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        while (Next(ref reader) == JsonTokenType.PropertyName)
        {
            var key = reader.GetString()!;
            if (Next(ref reader) != JsonTokenType.String)
            {
                throw Fault(file, MetadataKey, $"has a '{key}' that is not a string");
            }

            if (!metadata.TryAdd(key, reader.GetString()!))
            {
                throw Fault(file, MetadataKey, $"lists '{key}' twice");
            }
        }

        return metadata;
    }

    private static TensorInfo ReadTensor(string file, string name, ref Utf8JsonReader reader, long dataOffset)
    {
        if (Next(ref reader) != JsonTokenType.StartObject)
        {
            throw Fault(file, name, "is not an object with dtype, shape and data_offsets");
        }

        string? typeName = null;
        long[]? shape = null;
        long[]? range = null;
        while (Next(ref reader) == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("dtype"u8))
            {
                typeName = typeName is null && Next(ref reader) == JsonTokenType.String ? reader.GetString() : throw Fault(file, name, "has more than one dtype, or one that is not a string");
            }
            else if (reader.ValueTextEquals("shape"u8))
            {
                shape = shape is null ? ReadIntegers(file, name, "shape", ref reader) : throw Fault(file, name, "has more than one shape");
            }
            else if (reader.ValueTextEquals("data_offsets"u8))
            {
                range = range is null ? ReadIntegers(file, name, "data_offsets", ref reader) : throw Fault(file, name, "has more than one data_offsets");
            }
            else
            {
                reader.Skip();
            }
        }

        if (typeName is null || shape is null)
        {
            throw Fault(file, name, typeName is null ? "has no dtype" : "has no shape");
        }

        if (range is not [var begin, var end] || begin > end)
        {
            throw Fault(file, name, "has no data_offsets of the form [begin, end]");
        }

        if (!TensorTypes.TryParse(typeName, out var type))
        {
            throw Fault(file, name, $"has dtype '{typeName}'; known: {TensorTypes.KnownNames}");
        }

        var length = LengthOf(file, name, type, shape);
        if (end - begin != length)
        {
            throw Fault(file, name, $"has {end - begin} bytes by its data_offsets; its shape {TextOf(shape)} of {typeName} needs {length}");
        }

        return end <= long.MaxValue - dataOffset
            ? new TensorInfo(name, type, shape, dataOffset + begin, length)
            : throw Fault(file, name, "ends past the largest possible file");
    }

    private static long[] ReadIntegers(string file, string name, string member, ref Utf8JsonReader reader)
    {
        if (Next(ref reader) != JsonTokenType.StartArray)
        {
            throw Fault(file, name, $"has a {member} that is not an array");
        }

        var values = new List<long>(4);
        while (Next(ref reader) != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var value) || value < 0)
            {
                throw Fault(file, name, $"has a {member} with something else than whole numbers from 0 on");
            }

            values.Add(value);
        }

        return [.. values];
    }

    private static long LengthOf(string file, string name, TensorType type, long[] shape)
    {
        var length = (long)type.WidthBytes();
        foreach (var extent in shape)
        {
            length = extent == 0 || length <= long.MaxValue / extent
                ? length * extent
                : throw Fault(file, name, $"has the shape {TextOf(shape)}, more bytes than any file can have");
        }

        return length;
    }

    /// <summary>For messages: a damaged header may give a tensor millions of extents.</summary>
    private static string TextOf(long[] shape) =>
        shape.Length <= ExtentsToShow ? $"[{string.Join(", ", shape)}]" : $"[{string.Join(", ", shape.Take(ExtentsToShow))}, ...] of {shape.Length} extents";

    /// <summary>Made where something is wrong and nowhere else: a model has hundreds of tensors, and each is asked a dozen questions.</summary>
    private static WeightsException Fault(string file, string name, string fault) => new($"'{file}': tensor '{name}' {fault}.");
}
