using System.Text.Json;
using Platform.Local.Sidecar.Expressions;

namespace Platform.UnitTests.Sidecar;

public sealed class CelExpressionTests
{
    private static readonly JsonElement Event = JsonDocument.Parse("""{"type":"order","data":{"size":12,"tags":["a","b"],"name":"Zoë","none":null}}""").RootElement;

    [Theory]
    [InlineData("event.type == \"order\"", true)]
    [InlineData("event.type != 'order'", false)]
    [InlineData("event.data.size >= 12 && event.data.size < 13", true)]
    [InlineData("event.data.size > 100 || 'a' in event.data.tags", true)]
    [InlineData("!(event.type in [\"x\", \"order\"])", false)]
    [InlineData("has(event.data.missing)", false)]
    [InlineData("has(event.data.size)", true)]
    [InlineData("event['data']['tags'][1] == 'b'", true)]
    [InlineData("event.type.matches('^o.*r$') && size(event.data.name) == 3", true)]
    [InlineData("event.type.contains('rd') && event.type.startsWith('o') && event.type.endsWith('er')", true)]
    [InlineData("event.data.none == null && -1 < 0", true)]
    public void IsTrue_SupportedExpression_IsEvaluated(string text, bool expected) =>
        Assert.Equal(expected, CelExpression.Parse(text, "event").IsTrue(_ => Event));

    [Theory]
    [InlineData("event.data.map(x, x > 1)")]
    [InlineData("event.data.exists(x, x == 1)")]
    [InlineData("other.type == 'x'")]
    [InlineData("event.type = 'x'")]
    [InlineData("event.type == 'x")]
    [InlineData("event.type == 'x' 'y'")]
    [InlineData("timestamp('x') > 1")]
    [InlineData("")]
    [InlineData("(event.type == 'x'")]
    public void Parse_OutsideTheSubset_IsRefused(string text) => Assert.Throws<CelException>(() => CelExpression.Parse(text, "event"));

    [Theory]
    [InlineData("event.data.missing == 1")]
    [InlineData("event.type > 1")]
    [InlineData("event.type")]
    public void IsTrue_MissingMemberOrWrongType_IsAnError(string text) =>
        Assert.Throws<CelException>(() => CelExpression.Parse(text, "event").IsTrue(_ => Event));
}
