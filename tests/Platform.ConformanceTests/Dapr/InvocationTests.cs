using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Platform.Local;

namespace Platform.ConformanceTests.Dapr;

/// <summary>Checks 1, 2, 11 and 12 of the contract, and its traps about invocation.</summary>
public sealed class InvocationTests
{
    private static readonly string[] CallerHeaders = ["dapr-caller-app-id", "dapr-caller-namespace", "dapr-callee-app-id", "X-Forwarded-For", "X-Forwarded-Host", "Forwarded"];

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("GET", 200)]
    [InlineData("POST", 201)]
    [InlineData("PUT", 404)]
    [InlineData("DELETE", 500)]
    [InlineData("PATCH", 302)]
    public async Task Invoke_AnyVerbAndStatus_PassThrough(string verb, int status)
    {
        await using var cluster = await TestCluster.OpenAsync();
        await cluster.StartAsync("callee", app => app.Run(async context =>
        {
            context.Response.StatusCode = status;
            context.Response.Headers["x-out"] = new[] { "1", "2" };
            await context.Response.WriteAsync($"{context.Request.Method} {context.Request.Path.Value}{context.Request.QueryString} {context.Request.Headers["x-in"]} {await new StreamReader(context.Request.Body).ReadToEndAsync(Stop)}", Stop);
        }));
        using var dapr = await cluster.StartCallerAsync();

        var answer = await dapr.SendAsync(new HttpMethod(verb), "v1.0/invoke/callee/method/a/b%20c?q=1&q=2", verb == "GET" ? null : new StringContent("body"), ("x-in", "in"));

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal(["1", "2"], answer.Headers.GetValues("x-out"));
        Assert.Equal($"{verb} /a/b c?q=1&q=2 in {(verb == "GET" ? "" : "body")}", await answer.TextAsync());
    }

    [Fact]
    public async Task Invoke_HeaderForm_ReachesAnyPathAndWinsOverTheUrl()
    {
        await using var cluster = await TestCluster.OpenAsync();
        await cluster.StartAsync("callee", app => app.Run(context => context.Response.WriteAsync($"{context.Request.Path} {context.Request.Headers["dapr-app-id"]}", Stop)));
        using var dapr = await cluster.StartCallerAsync();

        await (await dapr.SendAsync(HttpMethod.Get, "some/path", null, ("dapr-app-id", "callee"))).IsAsync(HttpStatusCode.OK, "/some/path ");
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/other/method/x", null, ("dapr-app-id", "callee"))).IsAsync(HttpStatusCode.OK, "/v1.0/invoke/other/method/x ");
        await (await dapr.SendAsync(HttpMethod.Get, "x", null, ("Authorization", "Basic " + Convert.ToBase64String("dapr-app-id:callee"u8)))).IsAsync(HttpStatusCode.OK, "/x ");
    }

    [Fact]
    public async Task Invoke_NobodyOrNoRoute_IsDirectInvokeError()
    {
        await using var cluster = await TestCluster.OpenAsync();
        using var dapr = await cluster.StartCallerAsync();
        await cluster.StartSidecarAsync("down", LoopbackPort.AnyFree());

        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/nobody/method/x")).IsErrorAsync(500, "ERR_DIRECT_INVOKE");
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/down/method/x")).IsErrorAsync(500, "ERR_DIRECT_INVOKE");
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/a.b.c/method/x")).IsErrorAsync(500, "ERR_DIRECT_INVOKE");
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/nobody/x")).IsErrorAsync(404, "ERR_DIRECT_INVOKE");
        await (await dapr.SendAsync(HttpMethod.Get, "no/such/route")).IsErrorAsync(404, "ERR_DIRECT_INVOKE");
        await (await dapr.SendAsync(HttpMethod.Delete, "v1.0/metadata")).IsErrorAsync(404, "ERR_DIRECT_INVOKE");
    }

    [Theory]
    [InlineData("v1.0/invoke/callee/method/../../secret", "/secret")]
    [InlineData("v1.0/invoke/callee/method/a/%2E%2E/%2E%2E/b", "/b")]
    [InlineData("v1.0/invoke/callee/method/a%2Fb", "/a/b")]
    public async Task Invoke_DotSegments_NeverLeaveTheRoot(string path, string expected)
    {
        await using var cluster = await TestCluster.OpenAsync();
        await cluster.StartAsync("callee", app => app.Run(context => context.Response.WriteAsync(context.Request.Path, Stop)));
        using var dapr = await cluster.StartCallerAsync();

        // HttpClient would resolve the dots itself.
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"{dapr.BaseAddress}{path}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        await (await dapr.SendAsync(request, Stop)).IsAsync(HttpStatusCode.OK, expected);
    }

    [Fact]
    public async Task Invoke_SmuggledHeaders_AreTheSidecarsOwn()
    {
        await using var cluster = await TestCluster.OpenAsync();
        await cluster.StartAsync("callee", app => app.Run(context => context.Response.WriteAsync(string.Join('|', new[] { "dapr-caller-app-id", "dapr-callee-app-id", "dapr-api-token", "x-hop" }.Select(name => context.Request.Headers[name].ToString())), Stop)), change: options => options with { AppApiToken = "app-token" });
        using var dapr = await cluster.StartCallerAsync();
        (string, string)[] smuggled = [("dapr-caller-app-id", "admin"), ("dapr-callee-app-id", "x"), ("dapr-api-token", "stolen"), ("x-hop", "1"), ("Connection", "x-hop")];

        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/callee/method/x", null, smuggled)).IsAsync(HttpStatusCode.OK, "caller|callee|app-token|");
    }

    [Fact]
    public async Task Invoke_AnotherApp_TellsItWhoCallsAndThroughWhom()
    {
        var (cluster, callee) = (await TestCluster.OpenAsync(), new RecordingApp());
        await using var _ = cluster;
        await cluster.StartAsync("callee", callee.Map);
        using var dapr = await cluster.StartCallerAsync();

        await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/callee/method/x");

        var got = (await callee.UntilAsync("/x", 1))[0];
        var host = dapr.BaseAddress!.Authority;
        Assert.Equal(
            ["caller", "default", "callee", "127.0.0.1", host, $"for=127.0.0.1;by=127.0.0.1;host={host}"],
            CallerHeaders.Select(got.Header));
    }

    [Fact]
    public async Task Invoke_Self_HasNoCallerHeaders()
    {
        var (cluster, self) = (await TestCluster.OpenAsync(), new RecordingApp());
        await using var _ = cluster;
        var app = await cluster.StartAsync("self", self.Map);

        await app.Client.SendAsync(HttpMethod.Get, "v1.0/invoke/self/method/x", null, ("dapr-caller-app-id", "x"));

        Assert.All(CallerHeaders.Select((await self.UntilAsync("/x", 1))[0].Header), value => Assert.Equal("", value));
    }

    [Fact]
    public async Task Invoke_AnIdWithANamespace_ReachesTheAppAndOneDotMoreIsNoId()
    {
        await using var cluster = await TestCluster.OpenAsync();
        await cluster.StartAsync("callee", app => app.Run(context => context.Response.WriteAsync(context.Request.Path, Stop)));
        using var dapr = await cluster.StartCallerAsync();

        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/callee.default/method/x")).IsAsync(HttpStatusCode.OK, "/x");
        var refused = await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/a.b.c/method/x");

        await refused.IsErrorAsync(500, "ERR_DIRECT_INVOKE");
        Assert.Contains("invalid app id a.b.c", await refused.TextAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("v1.0/invoke/callee/method/a%23b")]
    [InlineData("v1.0/invoke/callee/method/a%3Fb")]
    [InlineData("v1.0/invoke/callee/method/a%00b")]
    [InlineData("v1.0/invoke/callee/method/a%0Ab")]
    public async Task Invoke_AMethodWithACharacterThatNoneMayHave_NeverReachesTheApp(string path)
    {
        var (cluster, callee) = (await TestCluster.OpenAsync(), new RecordingApp());
        await using var _ = cluster;
        await cluster.StartAsync("callee", callee.Map);
        using var dapr = await cluster.StartCallerAsync();

        var answer = await dapr.SendAsync(HttpMethod.Get, path);

        Assert.False(answer.IsSuccessStatusCode);
        Assert.DoesNotContain(callee.All, request => request.Path.StartsWith("/a", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Invoke_Stream_ArrivesPieceByPieceInBothDirections()
    {
        await using var cluster = await TestCluster.OpenAsync();
        await cluster.StartAsync("callee", app => app.Run(async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.StartAsync(Stop);
            var reader = new StreamReader(context.Request.Body);
            while (await reader.ReadLineAsync(Stop) is { } line)
            {
                await context.Response.WriteAsync($"data: {line}\n", Stop);
                await context.Response.Body.FlushAsync(Stop);
            }
        }));
        using var dapr = await cluster.StartCallerAsync();
        var pipe = new System.IO.Pipelines.Pipe();
        await pipe.Writer.WriteAsync("one\n"u8.ToArray(), Stop);

        // HTTP/1.1 clients read the answer after the request has ended; the echo shows that each direction streams.
        var request = new HttpRequestMessage(HttpMethod.Post, "v1.0/invoke/callee/method/x") { Content = new StreamContent(pipe.Reader.AsStream()) };
        await pipe.Writer.WriteAsync("two\n"u8.ToArray(), Stop);
        await pipe.Writer.CompleteAsync();
        using var answer = await dapr.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop);

        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType?.MediaType);
        Assert.Equal("data: one\ndata: two\n", await answer.TextAsync());
    }

    [Fact]
    public async Task Invoke_ServerSentEvents_AreFlushedAtOnce()
    {
        var next = new SemaphoreSlim(0);
        await using var cluster = await TestCluster.OpenAsync();
        await cluster.StartAsync("callee", app => app.MapGet("/x", async (HttpContext context) =>
        {
            context.Response.ContentType = "text/event-stream";
            for (var i = 0; i < 3; i++)
            {
                await context.Response.WriteAsync($"data: {i}\n\n", Stop);
                await context.Response.Body.FlushAsync(Stop);
                await next.WaitAsync(Stop);
            }
        }));
        using var dapr = await cluster.StartCallerAsync();

        using var answer = await dapr.SendAsync(new HttpRequestMessage(HttpMethod.Get, "v1.0/invoke/callee/method/x"), HttpCompletionOption.ResponseHeadersRead, Stop);
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(Stop));
        for (var i = 0; i < 3; i++)
        {
            // The app goes on only after this event was seen here: a buffered one would hang.
            Assert.Equal($"data: {i}", await reader.ReadLineAsync(Stop));
            await reader.ReadLineAsync(Stop);
            next.Release();
        }

        Assert.Null(await reader.ReadLineAsync(Stop));
    }

    [Fact]
    public async Task Invoke_AppDiesInTheBody_BreaksTheAnswerOff()
    {
        var seen = new SemaphoreSlim(0);
        await using var cluster = await TestCluster.OpenAsync();
        await cluster.StartAsync("callee", app => app.MapGet("/x", async (HttpContext context) =>
        {
            await context.Response.WriteAsync("half", Stop);
            await context.Response.Body.FlushAsync(Stop);
            await seen.WaitAsync(Stop);
            context.Abort();
        }));
        using var dapr = await cluster.StartCallerAsync();

        using var answer = await dapr.SendAsync(new HttpRequestMessage(HttpMethod.Get, "v1.0/invoke/callee/method/x"), HttpCompletionOption.ResponseHeadersRead, Stop);
        var body = await answer.Content.ReadAsStreamAsync(Stop);
        await body.ReadExactlyAsync(new byte[4], Stop);
        seen.Release();

        await Assert.ThrowsAnyAsync<IOException>(() => body.ReadExactlyAsync(new byte[1], Stop).AsTask());
    }

    [Theory]
    [InlineData(5, null, false)]
    [InlineData(5, 16, true)]
    public async Task Invoke_BodyOverTheLimit_IsRefused(int sizeMiB, int? limitMiB, bool passes)
    {
        await using var cluster = await TestCluster.OpenAsync();
        await cluster.StartAsync("callee", app => app.Run(async context =>
        {
            context.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpMaxRequestBodySizeFeature>()!.MaxRequestBodySize = null;
            var copy = new MemoryStream();
            await context.Request.Body.CopyToAsync(copy, Stop);
            await context.Response.WriteAsync(copy.Length.ToString(), Stop);
        }));
        using var dapr = await cluster.StartCallerAsync(change: options => limitMiB is { } limit ? options with { MaxBodyBytes = limit * 1024L * 1024 } : options);
        var body = new byte[sizeMiB * 1024 * 1024];

        var sized = await dapr.SendAsync(HttpMethod.Post, "v1.0/invoke/callee/method/x", new ByteArrayContent(body));
        var chunked = await dapr.SendAsync(new HttpRequestMessage(HttpMethod.Post, "v1.0/invoke/callee/method/x") { Content = new StreamContent(new MemoryStream(body)), Headers = { TransferEncodingChunked = true } }, Stop);

        if (passes)
        {
            await sized.IsAsync(HttpStatusCode.OK, body.Length.ToString());
            await chunked.IsAsync(HttpStatusCode.OK, body.Length.ToString());
        }
        else
        {
            await sized.IsErrorAsync(500, "ERR_DIRECT_INVOKE");
            await chunked.IsErrorAsync(500, "ERR_DIRECT_INVOKE");
        }
    }

    [Fact]
    public async Task Token_IsAskedEverywhereButForHealth()
    {
        await using var cluster = await TestCluster.OpenAsync();
        using var dapr = await cluster.StartCallerAsync(change: options => options with { ApiToken = "secret" });

        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/healthz/outbound")).IsAsync(HttpStatusCode.NoContent);
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/healthz")).IsAsync(HttpStatusCode.NoContent);
        var refused = await dapr.SendAsync(HttpMethod.Get, "v1.0/metadata", null, ("dapr-api-token", "wrong"));
        await refused.IsAsync(HttpStatusCode.Unauthorized, "invalid api token\n");
        Assert.Equal("text/plain", refused.Content.Headers.ContentType?.MediaType);
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/metadata", null, ("dapr-api-token", "secret"))).IsAsync(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Health_WaitsForTheApp_OutboundDoesNot()
    {
        await using var cluster = await TestCluster.OpenAsync();
        using var dapr = TestCluster.ClientOf(await cluster.StartSidecarAsync("late", LoopbackPort.AnyFree()));

        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/healthz/outbound")).IsAsync(HttpStatusCode.NoContent);
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/healthz")).IsErrorAsync(500, "ERR_HEALTH_NOT_READY");
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/healthz?appid=other")).IsErrorAsync(500, "ERR_HEALTH_APPID_NOT_MATCH");
    }

    [Fact]
    public async Task Metadata_ListsComponentsAndKeepsLabels()
    {
        await using var cluster = await TestCluster.OpenAsync();
        using var dapr = await cluster.StartCallerAsync();

        await (await dapr.SendAsync(HttpMethod.Put, "v1.0/metadata/color", new StringContent("blue"))).IsAsync(HttpStatusCode.NoContent);

        var metadata = await (await dapr.SendAsync(HttpMethod.Get, "v1.0/metadata")).JsonAsync();
        Assert.Equal("caller", metadata.GetProperty("id").GetString());
        Assert.Equal("blue", metadata.GetProperty("extended").GetProperty("color").GetString());
        var store = metadata.GetProperty("components").EnumerateArray().Single(component => component.GetProperty("name").GetString() == "statestore");
        Assert.Equal("state.redis", store.GetProperty("type").GetString());
        Assert.Equal(["ETAG", "TRANSACTIONAL", "TTL", "ACTOR"], store.GetProperty("capabilities").EnumerateArray().Select(capability => capability.GetString()!));
    }

    [Fact]
    public async Task App_KilledAndBack_IsCalledAgain()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var app = await cluster.StartAsync("callee", app => app.Run(context => context.Response.WriteAsync("here", Stop)));
        using var dapr = await cluster.StartCallerAsync();

        await app.StopAsync();
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/callee/method/x")).IsErrorAsync(500, "ERR_DIRECT_INVOKE");
        await app.UntilAwayAsync();
        await app.StartAsync();
        await app.UntilReadyAsync();

        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/callee/method/x")).IsAsync(HttpStatusCode.OK, "here");
    }
}
