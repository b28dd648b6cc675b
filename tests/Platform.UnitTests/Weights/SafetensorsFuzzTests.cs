using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Platform.DataPlane.Weights;

namespace Platform.UnitTests.Weights;

/// <summary>Headers of every element type, whole and damaged in ways that stay JSON: what is accepted is sound, what is refused says why, and what either allocates is bounded by the header's length.</summary>
public sealed class SafetensorsFuzzTests
{
    private static readonly string[] Types = ["BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "U16", "I16", "F16", "BF16", "U32", "I32", "F32", "U64", "I64", "F64"];
    private static readonly Dictionary<string, int> Widths = Types.ToDictionary(type => type, type => type switch { "U16" or "I16" or "F16" or "BF16" => 2, "U32" or "I32" or "F32" => 4, "U64" or "I64" or "F64" => 8, _ => 1 });

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Parse_WholeHeaders_OfEveryType_AreAccepted(int seed)
    {
        var random = new Random(seed);
        for (var round = 0; round < 200; round++)
        {
            var (header, dataLength) = Header(random);
            var file = File(header.ToJsonString(), dataLength);

            var parsed = SafetensorsHeader.Parse("m", file, file.Length);

            AssertSound(parsed, file.Length);
            Assert.Equal(header.Count(entry => entry.Key != "__metadata__"), parsed.Tensors.Count);
        }
    }

    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(13)]
    [InlineData(14)]
    public void Parse_DamagedHeaders_AreSoundOrRefused_AndAllocateWithinABoundOfTheirLength(int seed)
    {
        var random = new Random(seed);
        var (accepted, refused) = (0, 0);
        for (var round = 0; round < 3000; round++)
        {
            var (header, dataLength) = Header(random);
            var json = Damage(header, random);
            var file = File(json, random.Next(4) == 0 ? random.Next(200) : dataLength);
            var before = GC.GetAllocatedBytesForCurrentThread();
            SafetensorsHeader? parsed = null;
            var fault = Record.Exception(() => parsed = SafetensorsHeader.Parse("m", file, file.Length));
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

            Assert.True(fault is null or WeightsException, $"seed {seed}, round {round}: {json}\n{fault}");
            // An exception's own stack trace takes tens of kilobytes when its texts are first needed.
            Assert.True(allocated < (64 * json.Length) + (256 * 1024), $"seed {seed}, round {round}: {allocated} bytes for a header of {json.Length}");
            if (parsed is null)
            {
                refused++;
            }
            else
            {
                accepted++;
                AssertSound(parsed, file.Length);
            }
        }

        // Both happen, or the damage is not worth its name.
        Assert.True(accepted > 50 && refused > 500, $"{accepted} accepted, {refused} refused");
    }

    [Theory]
    [InlineData(100_000, 1)]
    [InlineData(100_000, 9)]
    public void Parse_ShapeOfManyExtents_AllocatesNoMoreThanItsLengthAllows(int extents, int last)
    {
        // The format sets no limit to how many a shape has; nine elements do not fit the one byte that is there.
        var json = $$$"""{"w":{"dtype":"U8","shape":[{{{string.Concat(Enumerable.Repeat("1,", extents))}}}{{{last}}}],"data_offsets":[0,1]}}""";
        var file = File(json, 1);
        var before = GC.GetAllocatedBytesForCurrentThread();

        var fault = Record.Exception(() => SafetensorsHeader.Parse("m", file, file.Length));

        Assert.Equal(last != 1, fault is WeightsException);
        Assert.InRange(fault?.Message.Length ?? 0, 0, 1000);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, (64 * json.Length) + (256 * 1024));
    }

    [Theory]
    [InlineData("""{"w":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", "more than one dtype")]
    [InlineData("""{"w":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}}""", "more than one shape")]
    [InlineData("""{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"data_offsets":[0,1]}}""", "more than one data_offsets")]
    [InlineData("""{"__metadata__":{},"__metadata__":{},"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", "'__metadata__' is listed twice")]
    [InlineData("""{"__metadata__":{"a":"1","a":"1"},"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""", "lists 'a' twice")]
    public void Parse_MemberGivenTwice_IsRefused(string json, string fault)
    {
        var file = File(json, 1);

        Assert.Contains(fault, Assert.Throws<WeightsException>(() => SafetensorsHeader.Parse("m", file, file.Length)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_ShapesWhoseProductOverflows_AreRefused()
    {
        string[] shapes = ["[9223372036854775807,9223372036854775807]", "[4294967296,4294967296]", "[9223372036854775807,2,0]", "[18446744073709551616]", "[1e3]", "[-1]"];

        Assert.All(shapes, shape =>
        {
            var file = File($$$"""{"w":{"dtype":"F64","shape":{{{shape}}},"data_offsets":[0,8]}}""", 8);
            Assert.Throws<WeightsException>(() => SafetensorsHeader.Parse("m", file, file.Length));
        });
    }

    private static void AssertSound(SafetensorsHeader header, long fileLength)
    {
        var end = header.DataOffsetBytes;
        foreach (var (name, tensor) in header.Tensors)
        {
            Assert.Equal((name, end), (tensor.Name, tensor.OffsetBytes));
            Assert.Equal(tensor.Shape.Aggregate((long)Widths[tensor.Type.SafetensorsName()], static (product, extent) => product * extent), tensor.LengthBytes);
            end = tensor.EndBytes;
        }

        Assert.Equal(fileLength, end);
    }

    private static (JsonObject Header, int DataLength) Header(Random random)
    {
        var header = new JsonObject();
        if (random.Next(3) == 0)
        {
            header["__metadata__"] = new JsonObject { ["format"] = "pt" };
        }

        var offset = 0;
        for (var i = random.Next(6); i >= 0; i--)
        {
            var type = Types[random.Next(Types.Length)];
            var shape = Enumerable.Range(0, random.Next(4)).Select(_ => random.Next(5)).ToArray();
            var length = shape.Aggregate(Widths[type], static (product, extent) => product * extent);
            header[$"tensor.{i}"] = new JsonObject { ["dtype"] = type, ["shape"] = new JsonArray([.. shape.Select(extent => JsonValue.Create(extent))]), ["data_offsets"] = new JsonArray(offset, offset + length) };
            offset += length;
        }

        return (header, offset);
    }

    /// <summary>One to three changes of the kind that a faulty writer makes.</summary>
    private static string Damage(JsonObject header, Random random)
    {
        for (var times = random.Next(1, 4); times > 0; times--)
        {
            var names = header.Select(entry => entry.Key).Where(name => name != "__metadata__" && header[name] is JsonObject).ToList();
            if (names.Count == 0)
            {
                break;
            }

            var name = names[random.Next(names.Count)];
            var tensor = (JsonObject)header[name]!;
            switch (random.Next(10))
            {
                case 0:
                    tensor["dtype"] = random.Next(2) == 0 ? "F4_E2M1" : Types[random.Next(Types.Length)];
                    break;
                case 1:
                    tensor["shape"] = new JsonArray(random.NextInt64(), random.Next(3));
                    break;
                case 2:
                    tensor["data_offsets"] = new JsonArray(random.Next(64), random.Next(64));
                    break;
                case 3:
                    tensor["data_offsets"] = new JsonArray(random.NextInt64(), random.NextInt64());
                    break;
                case 4:
                    tensor.Remove(((string[])["dtype", "shape", "data_offsets"])[random.Next(3)]);
                    break;
                case 5:
                    tensor["shape"] = new JsonArray([.. Enumerable.Repeat(1, random.Next(40)).Select(extent => JsonValue.Create(extent))]);
                    break;
                case 6:
                    header.Remove(name);
                    break;
                case 7:
                    header[name] = ((JsonNode?[])[null, JsonValue.Create(5), new JsonArray(), JsonValue.Create("x")])[random.Next(4)];
                    break;
                case 8:
                    tensor["unknown"] = new JsonObject { ["deep"] = new JsonArray(1, 2, new JsonObject()) };
                    break;
                default:
                    header["__metadata__"] = random.Next(2) == 0 ? new JsonObject { ["k"] = 5 } : JsonValue.Create("no object");
                    break;
            }
        }

        var json = header.ToJsonString(new JsonSerializerOptions { WriteIndented = random.Next(2) == 0 });
        return random.Next(8) == 0 ? json.Replace("tensor.0", "tensor.1", StringComparison.Ordinal) : random.Next(12) == 0 ? json[..random.Next(1, json.Length)] : json;
    }

    private static byte[] File(string json, int dataLength)
    {
        var text = Encoding.UTF8.GetBytes(json);
        var file = new byte[8 + text.Length + dataLength];
        BinaryPrimitives.WriteUInt64LittleEndian(file, (ulong)text.Length);
        text.CopyTo(file, 8);
        return file;
    }
}
