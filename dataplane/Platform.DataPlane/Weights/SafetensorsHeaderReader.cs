using System.Text.Json;

namespace Platform.DataPlane.Weights;

/// <summary>Reads the JSON of a safetensors header token by token.</summary>
internal static class SafetensorsHeaderReader
{
    private const string MetadataKey = "__metadata__";

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
        Expect(Next(ref reader) == JsonTokenType.StartObject, file, MetadataKey, "is not an object");
        var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        while (Next(ref reader) == JsonTokenType.PropertyName)
        {
            var key = reader.GetString()!;
            Expect(Next(ref reader) == JsonTokenType.String, file, MetadataKey, $"has a '{key}' that is not a string");
            Expect(metadata.TryAdd(key, reader.GetString()!), file, MetadataKey, $"lists '{key}' twice");
        }

        return metadata;
    }

    private static TensorInfo ReadTensor(string file, string name, ref Utf8JsonReader reader, long dataOffset)
    {
        Expect(Next(ref reader) == JsonTokenType.StartObject, file, name, "is not an object with dtype, shape and data_offsets");
        string? typeName = null;
        long[]? shape = null;
        long[]? range = null;
        while (Next(ref reader) == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("dtype"u8))
            {
                Expect(typeName is null && Next(ref reader) == JsonTokenType.String, file, name, "has more than one dtype, or one that is not a string");
                typeName = reader.GetString();
            }
            else if (reader.ValueTextEquals("shape"u8))
            {
                Expect(shape is null, file, name, "has more than one shape");
                shape = ReadIntegers(file, name, "shape", ref reader);
            }
            else if (reader.ValueTextEquals("data_offsets"u8))
            {
                Expect(range is null, file, name, "has more than one data_offsets");
                range = ReadIntegers(file, name, "data_offsets", ref reader);
            }
            else
            {
                reader.Skip();
            }
        }

        Expect(typeName is not null, file, name, "has no dtype");
        Expect(shape is not null, file, name, "has no shape");
        Expect(range is { Length: 2 } && range[0] <= range[1], file, name, "has no data_offsets of the form [begin, end]");
        Expect(TensorTypes.TryParse(typeName!, out var type), file, name, $"has dtype '{typeName}'; known: {TensorTypes.KnownNames}");
        var length = LengthOf(file, name, type, shape!);
        Expect(range![1] - range[0] == length, file, name, $"has {range[1] - range[0]} bytes by its data_offsets; its shape [{string.Join(", ", shape!)}] of {typeName} needs {length}");
        Expect(range[1] <= long.MaxValue - dataOffset, file, name, "ends past the largest possible file");
        return new TensorInfo(name, type, shape!, dataOffset + range[0], length);
    }

    private static long[] ReadIntegers(string file, string name, string member, ref Utf8JsonReader reader)
    {
        Expect(Next(ref reader) == JsonTokenType.StartArray, file, name, $"has a {member} that is not an array");
        var values = new List<long>(4);
        while (Next(ref reader) != JsonTokenType.EndArray)
        {
            var value = 0L;
            Expect(reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out value) && value >= 0, file, name, $"has a {member} with something else than whole numbers from 0 on");
            values.Add(value);
        }

        return [.. values];
    }

    private static long LengthOf(string file, string name, TensorType type, long[] shape)
    {
        var length = (Int128)type.WidthBytes();
        foreach (var extent in shape)
        {
            length *= extent;
            Expect(length <= long.MaxValue, file, name, $"has the shape [{string.Join(", ", shape)}], more bytes than any file can have");
        }

        return (long)length;
    }

    private static void Expect(bool good, string file, string name, string fault)
    {
        if (!good)
        {
            throw new WeightsException($"'{file}': tensor '{name}' {fault}.");
        }
    }
}
