using System.Text.Json;
using Platform.Functions.Hosting;
using Platform.Jobs;

namespace Platform.UnitTests.Functions;

public sealed class EnvelopeValueTests
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    [Theory]
    [InlineData("""  "\"hello\""  """, "hello")]
    [InlineData("""  "hello"  """, "hello")]
    [InlineData("""  "12"  """, "12")]
    [InlineData("""  "{\"a\":1}"  """, """{"a":1}""")]
    [InlineData("""  "\"{\\\"a\\\":1}\""  """, """{"a":1}""")]
    public void Text_AnyEncodingOfAString_IsTheString(string wire, string expected) =>
        Assert.Equal(expected, EnvelopeValue.Text(JsonDocument.Parse(wire).RootElement));

    [Theory]
    [InlineData("""  {"id":"a","spec":{"kind":"batch-infer"}}  """)]
    [InlineData("""  "{\"id\":\"a\",\"spec\":{\"kind\":\"batch-infer\"}}"  """)]
    [InlineData("""  "\"{\\\"id\\\":\\\"a\\\",\\\"spec\\\":{\\\"kind\\\":\\\"batch-infer\\\"}}\""  """)]
    public void Read_AnyEncodingOfAnObject_IsTheObject(string wire)
    {
        var message = (JobMessage)EnvelopeValue.Read(JsonDocument.Parse(wire).RootElement, typeof(JobMessage), Json)!;

        Assert.Equal(("a", "batch-infer"), (message.Id, message.Spec!.Kind));
    }

    [Theory]
    [InlineData("\"3\"")]
    [InlineData("3")]
    public void Read_NumberAsTextOrBare_IsTheNumber(string wire) =>
        Assert.Equal(3L, EnvelopeValue.Read(JsonDocument.Parse(wire).RootElement, typeof(long), Json));
}
