using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Platform.ConformanceTests.Functions;

/// <summary>Requests and messages that are allowed and rare: paths, headers, verbs, text that is no Unicode.</summary>
public sealed class OddRequestTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/api/echo/a%2Fb")]
    [InlineData("/api/echo/100%25")]
    [InlineData("/api/echo/%2541")]
    [InlineData("/api/echo/%E2%82%AC")]
    [InlineData("/api/echo/x?a=%2F&b&a=%C3%28&=")]
    [InlineData("/api/echo/x;v=1,2@:$&'()*+=!~")]
    [InlineData("/api/ECHO/X/")]
    [InlineData("/api/echo/%3Fx%23")]
    public async Task Path_ThatIsOdd_ArrivesAsItWas(string path)
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Echo", "echo/{*rest}").StartAsync();

        var answer = await SendAsync(app, $"GET {path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
        Assert.Contains($"\"url\":\"{path}\"", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Jürgen")]
    [InlineData("€")]
    public async Task Header_ThatIsNotAscii_ArrivesAsItWas(string value)
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Echo", "echo").Enveloped("Order", "order").StartAsync();

        var answer = await SendAsync(app, $"GET /api/echo HTTP/1.1\r\nHost: a\r\nX-Name: {value}\r\nConnection: close\r\n\r\n");
        var enveloped = await SendAsync(app, $"GET /api/order HTTP/1.1\r\nHost: a\r\nX-Name: {value}\r\nConnection: close\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 204", enveloped, StringComparison.Ordinal);

        // Node.js reads header bytes as Latin-1.
        Assert.Contains(Encoding.Latin1.GetString(Encoding.UTF8.GetBytes(value)), answer, StringComparison.Ordinal);
        Assert.Equal(value, (await app.InvocationsAsync("Order", 1))[0]["envelope"]!["Data"]!["req"]!["Headers"]!["X-Name"]![0]!.ToString());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Header_OfABodyThatIsNotThere_ArrivesToo(bool proxying)
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Echo", "echo");
        app.HostJson["customHandler"]!["enableProxyingHttpRequest"] = proxying;
        await app.StartAsync();

        var answer = await SendAsync(app, "GET /api/echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nAllow: a\r\nX-Twice: 1\r\nX-Twice: 2\r\nCookie: a=1\r\nCookie: b=2\r\nX-Empty:\r\nConnection: close\r\n\r\n");

        Assert.All(["\"content-type\":\"application/json\"", "\"allow\":\"a\"", "\"x-twice\":\"1, 2\"", "\"cookie\":\"a=1; b=2\"", "\"x-empty\":\"\""], header => Assert.Contains(header, answer, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Header_OfAnAnswerThatIsNotAscii_ArrivesAsItWas(bool proxying)
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Odd", "odd");
        app.HostJson["customHandler"]!["enableProxyingHttpRequest"] = proxying;
        await app.StartAsync();

        var answer = await SendAsync(app, "GET /api/odd HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
        Assert.Contains("X-Name: Jürgen €\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("PROPFIND")]
    [InlineData("OPTIONS")]
    [InlineData("TRACE")]
    public async Task Verb_ThatIsRare_Arrives(string verb)
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Echo", "echo").StartAsync();

        var answer = await SendAsync(app, $"{verb} /api/echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");

        Assert.Contains($"\"method\":\"{verb}\"", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Body_WithHalfASurrogatePair_RunsTheFunction()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Enveloped("Order", "order").Queue("Work", "work").StartAsync();
        const string Odd = """{"\ud800":1,"a":{"b":"\udfff"},"c":"\ud83d\ude00"}""";

        using var response = await app.Client.PostAsync("api/order", new StringContent(Odd, Encoding.UTF8, "application/json"), Cancel);
        await app.SendAsync("work", Odd);
        using var byHand = await app.Client.PostAsync("admin/functions/Work", new StringContent("""{"input":"\ud800"}"""), Cancel);

        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, byHand.StatusCode);
        Assert.Equal("1", (await app.InvocationsAsync("Order", 1))[0]["envelope"]!["Metadata"]!["\ufffd"]!.ToString());
        var metadata = (await app.InvocationsAsync("Work", 2)).Select(seen => seen["envelope"]!["Metadata"]!).Single(one => one["a"] is not null);
        Assert.Equal(("1", "\ufffd"), (metadata["DequeueCount"]!.ToString(), metadata["a"]!["b"]!.ToString()));
    }

    private static async Task<string> SendAsync(TestFunctionApp app, string request)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, app.Host.Port, Cancel);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.UTF8.GetBytes(request), Cancel);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return await reader.ReadToEndAsync(Cancel);
    }
}
