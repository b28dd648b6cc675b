using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Platform.ConformanceTests.Functions;

/// <summary>Clients that send their bodies drop by drop: they hold up nobody, and not without end.</summary>
public sealed class SlowClientTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Client_ThatSendsItsBodySlowly_HoldsUpNobodyElse()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Count", "count").Raw("Pid", "pid").StartAsync();
        using var slow = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await slow.ConnectAsync(IPAddress.Loopback, app.Host.Port, Cancel);
        await slow.SendAsync("POST /api/count HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\na"u8.ToArray(), Cancel);

        for (var i = 0; i < 50; i++)
        {
            Assert.NotEmpty(await app.Client.GetStringAsync("api/pid", Cancel));
        }

        await slow.SendAsync("bc"u8.ToArray(), Cancel);
        var answer = new byte[64];
        var read = await slow.ReceiveAsync(answer, Cancel);
        Assert.StartsWith("HTTP/1.1 200", System.Text.Encoding.ASCII.GetString(answer, 0, read), StringComparison.Ordinal);
    }

    /// <summary>The server waits five seconds, and then for 240 bytes a second; a client that is slower is told so and let go.</summary>
    [Fact]
    public async Task Client_ThatStopsInItsBody_IsAnswered408InEachMode()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Count", "count").Enveloped("Order", "order").Raw("Pid", "pid").StartAsync();
        var handler = await app.Client.GetStringAsync("api/pid", Cancel);

        var answers = await Task.WhenAll(StopInBodyAsync(app, "api/count"), StopInBodyAsync(app, "api/order"));

        Assert.All(answers, answer => Assert.StartsWith("HTTP/1.1 408", answer, StringComparison.Ordinal));
        Assert.All(answers, answer => Assert.Contains("invalid-request", answer, StringComparison.Ordinal));
        Assert.Equal(handler, await app.Client.GetStringAsync("api/pid", Cancel));
    }

    /// <summary>Everything that the host says until it closes the connection.</summary>
    private static async Task<string> StopInBodyAsync(TestFunctionApp app, string path)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, app.Host.Port, Cancel);
        var stream = client.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"POST /{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\na"), Cancel);
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync(Cancel);
    }
}
