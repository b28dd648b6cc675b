using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Platform.ConformanceTests.Functions;

/// <summary>Answers of a handler that are JSON and odd all the same: they fail or serve one invocation, and never the trigger behind it.</summary>
public sealed class OddAnswerTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("""{"Outputs":{"next":"a","NEXT":"b"}}""")]
    [InlineData("""{"Logs":["\ud800"]}""")]
    [InlineData("""{"Outputs":{"\udfff":1}}""")]
    [InlineData("""{"\ud800":1}""")]
    [InlineData("""[]""")]
    public async Task Timer_WhoseHandlerAnswersOddly_GoesOn(string answer)
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp()
            .Function("Tick", """{"bindings":[{"type":"timerTrigger","direction":"in","name":"timer","schedule":"* * * * * *"}]}""")
            .Answer("Tick", JsonSerializer.Serialize(new { body = answer }))
            .StartAsync();

        Assert.Equal(3, (await app.InvocationsAsync("Tick", 3)).Count);
    }

    [Fact]
    public async Task Output_NamedTwice_IsTheLast()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Enveloped("Order", "order").Answer("Order", JsonSerializer.Serialize(new { body = """{"Outputs":{"next":"first!","Next":"half \ud83d of a pair"}}""" })).StartAsync();

        using var response = await app.Client.GetAsync("api/order", Cancel);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(["half \ufffd of a pair"], await app.MessagesAsync("out", 1));
    }

    [Theory]
    [InlineData("""{"statusCode":204,"body":"text"}""", 204)]
    [InlineData("""{"statusCode":304,"body":"text"}""", 304)]
    [InlineData("""{"statusCode":101,"body":"text"}""", 500)]
    [InlineData("""{"headers":{"X-A":"a\r\nX-B: 1"},"body":"text"}""", 500)]
    [InlineData("""{"headers":{"a name":"x"},"body":"text"}""", 500)]
    [InlineData("""{"headers":{"":"x"},"body":"text"}""", 500)]
    [InlineData("""{"headers":{"X-A":"\u0000"}}""", 500)]
    [InlineData("""{"headers":{"X-A":"\u20ac"},"body":"text"}""", 200)]
    [InlineData("""{"headers":{"Connection":"close","Content-Length":"9000","Transfer-Encoding":"chunked"},"body":"text"}""", 200)]
    [InlineData("""{"headers":[1],"statusCode":"many","body":"text"}""", 200)]
    public async Task Output_OfTypeHttpThatCannotBeWritten_IsAnAnswerAllTheSame(string output, int status)
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Enveloped("Order", "order").Answer("Order", JsonSerializer.Serialize(new { body = $$$"""{"Outputs":{"res":{{{output}}}}}""" })).StartAsync();

        using var response = await app.Client.GetAsync("api/order", Cancel);
        var body = await response.Content.ReadAsStringAsync(Cancel);
        using var again = await app.Client.GetAsync("api/order", Cancel);

        Assert.Equal((status, status), ((int)response.StatusCode, (int)again.StatusCode));
        Assert.Equal(status, status == 500 ? JsonNode.Parse(body)!["status"]!.GetValue<int>() : status);
        Assert.Equal(status == 200 ? "text" : "", status == 500 ? "" : body);
        Assert.False(response.Headers.Contains("X-B"));
    }
}
