using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;

namespace Platform.ConformanceTests.Functions;

/// <summary>Checks 5, 6, 12, 13 and 14: functions with further bindings get the request in an envelope, and answer in one.</summary>
public sealed class EnvelopeTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Request_ToAFunctionWithAQueueOutput_ComesAsAnEnvelopeThoughRawModesAreOn()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Enveloped("Order", "order/{id:int}/{part?}").StartAsync();

        using var request = new HttpRequestMessage(HttpMethod.Post, "api/order/7?x=1&x=2&code=secret") { Content = new StringContent("""{"color":"red","n":3,"list":[1],"in":{"a":1}}""", Encoding.UTF8, "application/json") };
        using var response = await app.Client.SendAsync(request, Cancel);
        var seen = (await app.InvocationsAsync("Order", 1))[0];
        var req = seen["envelope"]!["Data"]!["req"]!;
        var metadata = seen["envelope"]!["Metadata"]!;

        Assert.Equal("/Order", seen["path"]!.ToString());
        Assert.Equal("application/json; charset=utf-8", seen["headers"]!["content-type"]!.ToString());
        Assert.Equal($"http://127.0.0.1:{app.Host.Port}/api/order/7?x=1&x=2&code=secret", req["Url"]!.ToString());
        Assert.Equal("POST", req["Method"]!.ToString());
        Assert.Equal("1,2", req["Query"]!["x"]!.ToString());
        Assert.Equal("application/json; charset=utf-8", req["Headers"]!["Content-Type"]![0]!.ToString());
        Assert.Equal("7", req["Params"]!["id"]!.ToString());
        Assert.True(req["Params"]!.AsObject().ContainsKey("part"));
        Assert.Null(req["Params"]!["part"]);
        Assert.Equal("""{"color":"red","n":3,"list":[1],"in":{"a":1}}""", req["Body"]!.ToString());
        Assert.Equal("\"red\"", metadata["color"]!.ToString());
        Assert.Equal("3", metadata["n"]!.ToString());
        Assert.Equal(1, metadata["in"]!["a"]!.GetValue<int>());
        Assert.Equal("\"7\"", metadata["id"]!.ToString());
        Assert.False(metadata.AsObject().ContainsKey("list"));
        Assert.False(metadata.AsObject().ContainsKey("code"));
        Assert.Equal("Order", metadata["sys"]!["MethodName"]!.ToString());
    }

    [Theory]
    [InlineData("application/octet-stream")]
    [InlineData("multipart/form-data")]
    public async Task Body_ThatIsLikelyBinary_IsBase64(string contentType)
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Enveloped("Order", "order").StartAsync();
        using var content = new ByteArrayContent([0xff, 0x00, 0x10]);
        content.Headers.TryAddWithoutValidation("Content-Type", contentType);

        using var response = await app.Client.PostAsync("api/order", content, Cancel);

        Assert.Equal("/wAQ", (await app.InvocationsAsync("Order", 1))[0]["envelope"]!["Data"]!["req"]!["Body"]!.ToString());
    }

    [Fact]
    public async Task Request_WithoutABody_HasNoBodyMember()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Enveloped("Order", "order").StartAsync();

        using var response = await app.Client.GetAsync("api/order", Cancel);

        Assert.False((await app.InvocationsAsync("Order", 1))[0]["envelope"]!["Data"]!["req"]!.AsObject().ContainsKey("Body"));
    }

    [Theory]
    [InlineData("""{"Outputs":{"res":{"statusCode":201,"headers":{"Content-Type":"text/x","X-A":"1"},"body":"made"}}}""", 201, "text/x", "made")]
    [InlineData("""{"outputs":{"RES":{"statusCode":"202","body":"text"}}}""", 202, "text/plain; charset=utf-8", "text")]
    [InlineData("""{"Outputs":{"res":{"body":{"a":1}}}}""", 200, "text/plain; charset=utf-8", "{\n  \"a\": 1\n}")]
    [InlineData("""{"Outputs":{"res":{"status":418,"body":"x"}}}""", 200, "text/plain; charset=utf-8", "x")]
    [InlineData("""{"Outputs":{"res":{"statusCode":204}}}""", 204, null, "")]
    [InlineData("""{"Outputs":{"other":1}}""", 200, "text/plain; charset=utf-8", "{}")]
    [InlineData("""{"Logs":["said"]}""", 204, null, "")]
    [InlineData("""{"Outputs":{"res":"text"}}""", 500, null, "")]
    public async Task Output_OfTypeHttp_IsTheResponse(string answer, int status, string? contentType, string body)
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Enveloped("Order", "order").Answer("Order", $$"""{"body":{{answer}}}""").StartAsync();

        using var response = await app.Client.GetAsync("api/order", Cancel);

        Assert.Equal(status, (int)response.StatusCode);
        Assert.Equal(contentType, response.Content.Headers.ContentType?.ToString());
        Assert.Equal(body, await response.Content.ReadAsStringAsync(Cancel));
    }

    [Theory]
    [InlineData("""{"ReturnValue":{"statusCode":201,"body":"made"}}""", 201, "made")]
    [InlineData("""{"ReturnValue":{"a":1}}""", 200, "{\n  \"a\": 1\n}")]
    [InlineData("""{"ReturnValue":"{\"statusCode\":202,\"body\":\"parsed\"}"}""", 202, "parsed")]
    [InlineData("""{"ReturnValue":"plain"}""", 200, "plain")]
    public async Task ReturnValue_OfTypeHttp_IsTheResponse(string answer, int status, string body)
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Enveloped("Order", "order", http: "$return").Answer("Order", $$"""{"body":{{answer}}}""").StartAsync();

        using var response = await app.Client.GetAsync("api/order", Cancel);

        Assert.Equal((status, body), ((int)response.StatusCode, await response.Content.ReadAsStringAsync(Cancel)));
    }

    [Theory]
    [InlineData("""{"status":204,"body":""}""")]
    [InlineData("""{"body":""}""")]
    [InlineData("""{"body":"null"}""")]
    [InlineData("""{"body":"not json"}""")]
    [InlineData("""{"body":"{}","contentType":"text/plain"}""")]
    [InlineData("""{"body":"{}","contentType":""}""")]
    [InlineData("""{"status":404,"body":{}}""")]
    public async Task Answer_ThatIsNone_FailsTheInvocationAtOnce(string answer)
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Enveloped("Order", "order").Answer("Order", answer).StartAsync();

        using var response = await app.Client.GetAsync("api/order", Cancel);

        Assert.Equal((HttpStatusCode.InternalServerError, ""), (response.StatusCode, await response.Content.ReadAsStringAsync(Cancel)));
        Assert.Contains(app.Log, line => line.StartsWith("Error: Invocation", StringComparison.Ordinal) && line.Contains("Order", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Redirect_OfAnEnvelope_IsFollowed()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Enveloped("Order", "order")
            .Answer("Order", """{"status":307,"location":"/Other"}""")
            .Answer("Other", """{"body":{"Outputs":{"res":{"body":"from there"}}}}""")
            .StartAsync();

        Assert.Equal("from there", await app.Client.GetStringAsync("api/order", Cancel));
    }

    [Fact]
    public async Task Logs_OfAnAnswer_AppearAtInformation()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Enveloped("Order", "order").Answer("Order", """{"body":{"Logs":["it was said"],"Outputs":{"res":{"body":"x"}}}}""").StartAsync();

        await app.Client.GetStringAsync("api/order", Cancel);

        Assert.Contains(app.Log, line => line.StartsWith("Information: [Order", StringComparison.Ordinal) && line.EndsWith("it was said", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("GET", "api/none", "GET /admin/functions lists")]
    [InlineData("DELETE", "api/item/1", "The path takes GET, POST.")]
    [InlineData("GET", "api/item/one", "No function answers GET /api/item/one")]
    public async Task Request_WithoutARoute_Is404AndSaysWhatThereIs(string method, string path, string hint)
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Item", "item/{id:int}", "\"get\",\"post\"").StartAsync();

        using var response = await app.Client.SendAsync(new HttpRequestMessage(new HttpMethod(method), path), Cancel);
        var problem = (await response.Content.ReadFromJsonAsync<JsonNode>(Cancel))!;

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Equal("route-not-found", problem["code"]!.ToString());
        Assert.Contains(hint, problem["detail"]!.ToString(), StringComparison.Ordinal);
    }
}
