using System.Buffers.Binary;
using System.Text;
using Platform.DataPlane.Weights;

namespace Platform.UnitTests.Weights;

public sealed class SafetensorsTests
{
    [Fact]
    public async Task WriteAsync_ThenParse_GivesBackTensorsMetadataAndBytes()
    {
        var tensors = new[]
        {
            new TensorBytes("b", TensorType.BF16, [3, 5], Bytes(30)),
            new TensorBytes("a", TensorType.F32, [], Bytes(4)),
            new TensorBytes("empty", TensorType.I64, [7, 0], Bytes(0)),
            new TensorBytes("naïve \"name\"", TensorType.F8E4M3, [1], Bytes(1)),
        };

        var file = await WriteAsync(tensors, new Dictionary<string, string> { ["format"] = "pt" });
        var header = SafetensorsHeader.Parse("m.safetensors", file, file.Length);
        await using var source = InMemoryTensors.Parse("m.safetensors", file);

        Assert.Equal("pt", header.Metadata["format"]);
        Assert.Equal(0, header.DataOffsetBytes % 64);
        Assert.Equal(tensors.Select(t => t.Name), header.Tensors.Keys);
        foreach (var tensor in tensors)
        {
            Assert.Equal(tensor.Shape, header.Tensors[tensor.Name].Shape);
            Assert.Equal(tensor.Bytes, await source.GetAsync(tensor.Name, TestContext.Current.CancellationToken));
        }
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", 4, null)]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"new":[{}]},"__metadata__":{}}   """, 4, null)]
    [InlineData("{}", 0, null)]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", 3, "truncated")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}""", 5, "1 bytes after its last tensor")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[1,5]}}""", 5, "gap")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}}""", 5, "overlaps")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[2],"data_offsets":[5,7]}}""", 7, "gap")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"a":{"dtype":"U8","shape":[2],"data_offsets":[4,6]}}""", 6, "twice")]
    [InlineData("""{"a":{"dtype":"F4","shape":[4],"data_offsets":[0,4]}}""", 4, "dtype 'F4'; known: BOOL")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,4]}}""", 4, "needs 16")]
    [InlineData("""{"a":{"dtype":"U8","shape":[-4],"data_offsets":[0,4]}}""", 4, "whole numbers")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4.5],"data_offsets":[0,4]}}""", 4, "whole numbers")]
    [InlineData("""{"a":{"dtype":"U8","shape":[9223372036854775807,9223372036854775807],"data_offsets":[0,4]}}""", 4, "more bytes than any file")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}}""", 4, "[begin, end]")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4,5]}}""", 4, "[begin, end]")]
    [InlineData("""{"a":{"shape":[4],"data_offsets":[0,4]}}""", 4, "no dtype")]
    [InlineData("""{"a":{"dtype":"U8","data_offsets":[0,4]}}""", 4, "no shape")]
    [InlineData("""{"a":5}""", 0, "not an object")]
    [InlineData("""{"__metadata__":{"a":1}}""", 0, "not a string")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],""", 4, "not valid JSON")]
    [InlineData("""{} {}""", 0, "not valid JSON")]
    [InlineData("""["a"]""", 0, "expected '{'")]
    [InlineData("""{"\ud800":{}}""", 0, "not valid JSON")]
    public void Parse_Header_IsAcceptedOrRefusedWithTheReason(string json, int dataLength, string? fault)
    {
        var file = File(json, dataLength);

        var error = Record.Exception(() => SafetensorsHeader.Parse("folder/m.safetensors", file, file.Length));

        if (fault is null)
        {
            Assert.Null(error);
            return;
        }

        Assert.IsType<WeightsException>(error);
        Assert.Contains("folder/m.safetensors", error.Message, StringComparison.Ordinal);
        Assert.Contains(fault, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0UL, "expected 2 to")]
    [InlineData(100_000_001UL, "expected 2 to")]
    [InlineData(ulong.MaxValue, "expected 2 to")]
    [InlineData(1000UL, "truncated")]
    public void Parse_HeaderLengthOutOfRange_IsRefused(ulong length, string fault)
    {
        var file = File("{}", 10);
        BinaryPrimitives.WriteUInt64LittleEndian(file, length);

        var error = Assert.Throws<WeightsException>(() => SafetensorsHeader.Parse("m", file, file.Length));

        Assert.Contains(fault, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Parse_FileOfFewerThanEightBytes_IsRefused() =>
        Assert.Contains("has 3 bytes", Assert.Throws<WeightsException>(() => SafetensorsHeader.Parse("m", [1, 2, 3], 3)).Message, StringComparison.Ordinal);

    [Fact]
    public async Task Parse_DamagedFiles_NeverFailOtherwiseThanWithAWeightsException()
    {
        var good = await WriteAsync([new TensorBytes("w", TensorType.F16, [4, 4], Bytes(32)), new TensorBytes("v", TensorType.I8, [5], Bytes(5))], new Dictionary<string, string> { ["k"] = "v" });
        var random = new Random(7);
        for (var round = 0; round < 20_000; round++)
        {
            var bad = good.ToArray();
            for (var damage = random.Next(1, 4); damage > 0; damage--)
            {
                bad[random.Next(bad.Length)] = (byte)random.Next(256);
            }

            var length = random.Next(3) == 0 ? random.Next(bad.Length) : bad.Length;
            var before = GC.GetAllocatedBytesForCurrentThread();
            var error = Record.Exception(() => SafetensorsHeader.Parse("m", bad.AsSpan(0, length), length));
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

            Assert.True(error is null or WeightsException, $"round {round}: {error}");
            Assert.True(allocated < 256 * 1024, $"round {round}: {allocated} bytes for a header of {good.Length}");
        }
    }

    private static byte[] File(string json, int dataLength)
    {
        var text = Encoding.UTF8.GetBytes(json);
        var file = new byte[8 + text.Length + dataLength];
        BinaryPrimitives.WriteUInt64LittleEndian(file, (ulong)text.Length);
        text.CopyTo(file, 8);
        return file;
    }

    private static byte[] Bytes(int count)
    {
        var bytes = new byte[count];
        new Random(count).NextBytes(bytes);
        return bytes;
    }

    private static async Task<byte[]> WriteAsync(TensorBytes[] tensors, Dictionary<string, string> metadata)
    {
        var stream = new MemoryStream();
        await SafetensorsWriter.WriteAsync(stream, tensors, metadata, TestContext.Current.CancellationToken);
        return stream.ToArray();
    }
}
