using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;

namespace Platform.ConformanceTests.Functions;

/// <summary>Checks 3 and 4: requests pass through as they are, buffered when forwarding, streamed when proxying.</summary>
public sealed class RawHttpTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Request_ToAnHttpOnlyFunction_ArrivesUnchanged(bool proxying)
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Echo", "echo/{*rest}");
        app.HostJson["customHandler"]!["enableProxyingHttpRequest"] = proxying;
        await app.StartAsync();

        using var request = new HttpRequestMessage(HttpMethod.Patch, "api/echo/a%20b?x=1&code=abc&status=418") { Content = new StringContent("body", Encoding.UTF8, "text/x-test") };
        request.Headers.Add("X-Mine", ["1", "2"]);
        using var response = await app.Client.SendAsync(request, Cancel);
        var echo = await response.Content.ReadFromJsonAsync<JsonNode>(Cancel);

        Assert.Equal((HttpStatusCode)418, response.StatusCode);
        Assert.Equal("handler", response.Headers.GetValues("X-From").Single());
        Assert.Equal("PATCH", echo!["method"]!.GetValue<string>());
        Assert.Equal("/api/echo/a%20b?x=1&code=abc&status=418", echo["url"]!.GetValue<string>());
        Assert.Equal($"127.0.0.1:{app.Host.Port}", echo["headers"]!["host"]!.GetValue<string>());
        Assert.Equal("1, 2", echo["headers"]!["x-mine"]!.GetValue<string>());
        Assert.Equal("text/x-test; charset=utf-8", echo["headers"]!["content-type"]!.GetValue<string>());
        Assert.NotNull(echo["headers"]!["x-azure-functions-invocationid"]);
        Assert.Equal("body", Encoding.UTF8.GetString(Convert.FromBase64String(echo["body"]!.GetValue<string>())));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Body_OfBytes_GoesBothWays(bool proxying)
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Binary", "binary");
        app.HostJson["customHandler"]!["enableProxyingHttpRequest"] = proxying;
        await app.StartAsync();
        var bytes = Enumerable.Range(0, (64 * 1024) - 3).Select(i => (byte)(i * 31)).ToArray();

        using var response = await app.Client.PostAsync("api/binary", new ByteArrayContent(bytes), Cancel);

        Assert.Equal(bytes, await response.Content.ReadAsByteArrayAsync(Cancel));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Redirect_OfTheHandler_IsTheCallersToFollow(bool proxying)
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Redirect", "redirect");
        app.HostJson["customHandler"]!["enableProxyingHttpRequest"] = proxying;
        await app.StartAsync();

        using var response = await app.Client.GetAsync("api/redirect", Cancel);

        Assert.Equal(HttpStatusCode.Redirect, response.StatusCode);
        Assert.Equal("/api/echo", response.Headers.Location!.OriginalString);
    }

    [Fact]
    public async Task Upload_ChunkedAndLarge_StreamsThrough()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Count", "count").StartAsync();
        const int Bytes = 100_000_000;

        using var content = new StreamContent(new ZeroStream(Bytes));
        using var request = new HttpRequestMessage(HttpMethod.Post, "api/count") { Content = content };
        request.Headers.TransferEncodingChunked = true;
        using var response = await app.Client.SendAsync(request, Cancel);

        Assert.Equal(Bytes.ToString(), await response.Content.ReadAsStringAsync(Cancel));
    }

    [Fact]
    public async Task Body_ChunkedWhenForwarding_IsLostAndLogged()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Count", "count");
        app.HostJson["customHandler"]!["enableProxyingHttpRequest"] = false;
        await app.StartAsync();

        using var request = new HttpRequestMessage(HttpMethod.Post, "api/count") { Content = new StringContent("lost") };
        request.Headers.TransferEncodingChunked = true;
        using var response = await app.Client.SendAsync(request, Cancel);

        Assert.Equal("0", await response.Content.ReadAsStringAsync(Cancel));
        Assert.Contains(app.Log, line => line.StartsWith("Warning: ", StringComparison.Ordinal) && line.Contains("Count", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Request_UnderTheSectionHttpWorker_GoesToTheFunctionsName()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Old", "some/route").Answer("Old", """{"status":418,"contentType":"text/x","body":"as it is"}""");
        app.HostJson["httpWorker"] = new JsonObject { ["description"] = app.HostJson["customHandler"]!["description"]!.DeepClone() };
        app.HostJson.Remove("customHandler");
        await app.StartAsync();

        using var response = await app.Client.PostAsync("api/some/route?x=1", new StringContent("{}"), Cancel);

        Assert.Equal((418, "as it is"), ((int)response.StatusCode, await response.Content.ReadAsStringAsync(Cancel)));
        Assert.Equal("/Old?x=1", (await app.InvocationsAsync("Old", 1))[0]["path"]!.ToString());
    }

    [Fact]
    public async Task Body_BeyondTheLimit_Is413WithACode()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Count", "count").With("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "1000").StartAsync();

        using var response = await app.Client.PostAsync("api/count", new ByteArrayContent(new byte[1001]), Cancel);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.Equal("body-too-large", (await response.Content.ReadFromJsonAsync<JsonNode>(Cancel))!["code"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("admin/queues/work")]
    [InlineData("admin/functions/Work")]
    public async Task Body_OfAnAdminPathBeyondTheLimit_Is413AndManyLinesAreNot(string path)
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Queue("Work", "seen").With("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", "1000").StartAsync();

        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent(new byte[1001]) };
        request.Headers.TransferEncodingChunked = true;
        using var response = await app.Client.SendAsync(request, Cancel);
        using var lines = await app.Client.PostAsync("admin/queues/lines?lines=true", new StringContent(string.Concat(Enumerable.Repeat("a line\n", 300))), Cancel);

        Assert.Equal((HttpStatusCode.RequestEntityTooLarge, HttpStatusCode.Created), (response.StatusCode, lines.StatusCode));
        Assert.Equal("body-too-large", (await response.Content.ReadFromJsonAsync<JsonNode>(Cancel))!["code"]!.GetValue<string>());
        Assert.Equal(300, app.Host.Queues.Open("lines").Count);
    }

    [Fact]
    public async Task Events_OfAStream_ArriveOneByOne()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Events", "events").StartAsync();

        using var response = await app.Client.GetAsync("api/events?pause=30", HttpCompletionOption.ResponseHeadersRead, Cancel);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancel));
        var arrivals = new List<long>();
        var clock = Stopwatch.StartNew();
        while (await reader.ReadLineAsync(Cancel) is { } line)
        {
            if (line.StartsWith("data: ", StringComparison.Ordinal))
            {
                arrivals.Add(clock.ElapsedMilliseconds);
            }
        }

        // The handler takes 300 ms to say all of it: a host that buffered would hand over ten events at one instant.
        Assert.Equal(10, arrivals.Count);
        Assert.True(arrivals[^1] - arrivals[0] >= 100, $"events arrived at {string.Join(", ", arrivals)} ms");
    }

    [Fact]
    public async Task Client_ThatGoesAwayInAStream_LeavesTheHostHealthy()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Events", "events").Raw("Pid", "pid").StartAsync();
        var before = await app.Client.GetStringAsync("api/pid", Cancel);

        using (var response = await app.Client.GetAsync("api/events?pause=500", HttpCompletionOption.ResponseHeadersRead, Cancel))
        {
            await (await response.Content.ReadAsStreamAsync(Cancel)).ReadExactlyAsync(new byte[4], Cancel);
        }

        Assert.Equal(before, await app.Client.GetStringAsync("api/pid", Cancel));
    }
}
