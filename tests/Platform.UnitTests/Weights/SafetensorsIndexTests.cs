using System.Text;
using Platform.DataPlane.Weights;

namespace Platform.UnitTests.Weights;

public sealed class SafetensorsIndexTests
{
    private const string Good = """{"metadata":{"total_size":2},"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}""";

    [Fact]
    public void Check_FilesAsListed_IsGood() =>
        SafetensorsIndex.Parse(Encoding.UTF8.GetBytes(Good)).Check([Header("models/m/model-00001-of-00002.safetensors", "a"), Header("model-00002-of-00002.safetensors", "b")]);

    [Fact]
    public void Check_FilesNotAsListed_NamesEveryFault()
    {
        var index = SafetensorsIndex.Parse(Encoding.UTF8.GetBytes(Good));

        var error = Assert.Throws<WeightsException>(() => index.Check([Header("model-00001-of-00002.safetensors", "c")]));

        Assert.Contains("file 'model-00002-of-00002.safetensors' is missing", error.Message, StringComparison.Ordinal);
        Assert.Contains("tensor 'a' is not in 'model-00001-of-00002.safetensors'", error.Message, StringComparison.Ordinal);
        Assert.Contains("tensor 'c' of 'model-00001-of-00002.safetensors' is not listed", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{}", "not a list of weights files")]
    [InlineData("[]", "not a list of weights files")]
    [InlineData("{\"weight_map\":{\"a\":1}}", "not a list of weights files")]
    [InlineData("{\"weight_map\"", "not a list of weights files")]
    [InlineData("{\"weight_map\":{\"a\":\"../x.safetensors\"}}", "expected the name of a file beside it")]
    [InlineData("{\"weight_map\":{\"a\":\"x\",\"a\":\"y\"}}", "lists tensor 'a' twice")]
    public void Parse_SomethingElse_IsRefusedWithTheReason(string json, string fault) =>
        Assert.Contains(fault, Assert.Throws<WeightsException>(() => SafetensorsIndex.Parse(Encoding.UTF8.GetBytes(json))).Message, StringComparison.Ordinal);

    private static SafetensorsHeader Header(string file, string tensor)
    {
        var json = Encoding.UTF8.GetBytes($$$"""{"{{{tensor}}}":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}""");
        byte[] bytes = [.. BitConverter.GetBytes((ulong)json.Length), .. json, 0];
        return SafetensorsHeader.Parse(file, bytes, bytes.Length);
    }
}
