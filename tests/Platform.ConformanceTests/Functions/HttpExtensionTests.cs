using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Platform.Local.FunctionsHost;

namespace Platform.ConformanceTests.Functions;

/// <summary>What <c>extensions.http</c>, <c>Host.CORS</c>, <c>customHandler.http</c> and <c>configurationProfile</c> change.</summary>
public sealed class HttpExtensionTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Requests_BeyondTheOutstandingOnes_Are429WithTheScaleOutHeader()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Slow", "slow").Raw("Pid", "pid");
        app.HostJson["extensions"]!["http"]!["maxOutstandingRequests"] = 1;
        await app.StartAsync();
        using var leaving = new CancellationTokenSource();
        var slow = app.Client.GetAsync("api/slow?ms=60000", leaving.Token);
        await UntilBusyAsync(app, 1);

        using var refused = await app.Client.GetAsync("api/pid", Cancel);
        await leaving.CancelAsync();

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal(("1", "1"), (refused.Headers.GetValues("X-FUNCTION-SCALEOUT").Single(), refused.Headers.GetValues("Retry-After").Single()));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => slow);
    }

    [Fact]
    public async Task Requests_BeyondTheConcurrentOnes_WaitForTheirTurn()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Slow", "slow").Raw("Pid", "pid");
        app.HostJson["extensions"]!["http"]!["maxConcurrentRequests"] = 1;
        await app.StartAsync();
        using var leaving = new CancellationTokenSource();
        var slow = app.Client.GetAsync("api/slow?ms=60000", leaving.Token);
        await UntilBusyAsync(app, 1);

        var second = app.Client.GetStringAsync("api/pid", Cancel);
        await UntilBusyAsync(app, 2);
        Assert.False(second.IsCompleted);
        await leaving.CancelAsync();

        Assert.NotEmpty(await second);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => slow);
    }

    [Fact]
    public async Task Page_OfAnotherOrigin_MayCallIfItIsNamed()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Echo", "echo", "\"get\"");
        File.WriteAllText(Path.Combine(app.AppRoot, "local.settings.json"), """{"IsEncrypted":false,"Values":{},"Host":{"CORS":"http://a.example, http://b.example/","CORSCredentials":true}}""");
        await app.StartAsync();

        using var preflight = await SendAsync(app, HttpMethod.Options, "http://b.example", "PUT", "x-mine");
        using var call = await SendAsync(app, HttpMethod.Get, "http://a.example");
        using var stranger = await SendAsync(app, HttpMethod.Get, "http://c.example");

        Assert.Equal((HttpStatusCode.NoContent, "http://b.example", "PUT", "x-mine"), (preflight.StatusCode, Header(preflight, "Access-Control-Allow-Origin"), Header(preflight, "Access-Control-Allow-Methods"), Header(preflight, "Access-Control-Allow-Headers")));
        Assert.Equal((HttpStatusCode.OK, "http://a.example", "true"), (call.StatusCode, Header(call, "Access-Control-Allow-Origin"), Header(call, "Access-Control-Allow-Credentials")));
        Assert.Equal((HttpStatusCode.OK, null), (stranger.StatusCode, Header(stranger, "Access-Control-Allow-Origin")));
    }

    [Theory]
    [InlineData("""{"routes":[{"route":"a/{x}","authorizationLevel":"anonymous"},{"route":"b"}]}""", null, "http-handler1 a/{x} anonymous, http-handler2 b function")]
    [InlineData(null, "web-app-custom-handler", "http-handler1 {*route} function")]
    [InlineData("""{"defaultAuthorizationLevel":"anonymous"}""", "mcp-custom-handler", "http-handler1 {*route} anonymous")]
    public async Task Routes_OfHostJson_AreFunctionsThatAreProxied(string? http, string? profile, string expected)
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().With("FUNCTIONS_WORKER_RUNTIME", "Custom");
        app.HostJson["extensions"]!["http"]!["routePrefix"] = "";
        app.HostJson["configurationProfile"] = profile;
        app.HostJson["customHandler"]!["enableProxyingHttpRequest"] = false;
        app.HostJson["customHandler"]!["http"] = http is null ? null : JsonNode.Parse(http);
        await app.StartAsync();

        // /api/... is where the foreign handler answers raw requests.
        var routed = app.Host.Routes.Select(route => $"{route.Function.Name} {route.Template} {route.Function.Trigger.Text("authLevel")}");
        Assert.Equal(expected, string.Join(", ", routed));
        if (profile is not null)
        {
            Assert.NotEmpty(await app.Client.GetStringAsync("api/pid", Cancel));
        }
    }

    [Theory]
    [InlineData("Custom", "no-such-profile", "no-such-profile")]
    [InlineData("node", "web-app-custom-handler", "FUNCTIONS_WORKER_RUNTIME")]
    public async Task Profile_ThatIsNotFit_StopsTheHostWithTheReason(string runtime, string profile, string named)
    {
        await using var app = new TestFunctionApp().With("FUNCTIONS_WORKER_RUNTIME", runtime);
        app.HostJson["configurationProfile"] = profile;

        var failure = await Assert.ThrowsAsync<FunctionAppException>(app.StartAsync);

        Assert.Contains(named, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Routes_OfHostJsonBesideFolders_AreAnError()
    {
        await using var app = new TestFunctionApp().With("FUNCTIONS_WORKER_RUNTIME", "custom").Raw("Pid", "pid");
        app.HostJson["configurationProfile"] = "web-app-custom-handler";

        var failure = await Assert.ThrowsAsync<FunctionAppException>(app.StartAsync);

        Assert.Contains("Pid", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Body_ChunkedBeyondTheLimit_Is413()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Count", "count").Raw("Pid", "pid").With("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "1000").StartAsync();

        using var request = new HttpRequestMessage(HttpMethod.Post, "api/count") { Content = new ByteArrayContent(new byte[5000]) };
        request.Headers.TransferEncodingChunked = true;
        using var response = await app.Client.SendAsync(request, Cancel);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.Equal("body-too-large", (await response.Content.ReadFromJsonAsync<JsonNode>(Cancel))!["code"]!.GetValue<string>());
        Assert.NotEmpty(await app.Client.GetStringAsync("api/pid", Cancel));
    }

    private static string? Header(HttpResponseMessage response, string name) => response.Headers.TryGetValues(name, out var values) ? string.Join(",", values) : null;

    private static async Task<HttpResponseMessage> SendAsync(TestFunctionApp app, HttpMethod method, string origin, string? asksFor = null, string? headers = null)
    {
        using var request = new HttpRequestMessage(method, "api/echo");
        request.Headers.Add("Origin", origin);
        if (asksFor is not null)
        {
            request.Headers.Add("Access-Control-Request-Method", asksFor);
            request.Headers.Add("Access-Control-Request-Headers", headers);
        }

        return await app.Client.SendAsync(request, Cancel);
    }

    private static async Task UntilBusyAsync(TestFunctionApp app, int count)
    {
        while ((await app.Client.GetFromJsonAsync<JsonNode>("admin/host/drain/status", Cancel))!["outstandingInvocations"]!.GetValue<int>() < count)
        {
            await Task.Delay(5, Cancel);
        }
    }
}
