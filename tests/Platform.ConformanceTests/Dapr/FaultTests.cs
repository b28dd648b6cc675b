using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Platform.ConformanceTests.Dapr;

/// <summary>What must not hurt: huge and slow bodies, smuggled requests, names that climb, subscribers that stall, apps that die or move in a turn.</summary>
public sealed class FaultTests
{
    private const string InMemory = """
        apiVersion: dapr.io/v1alpha1
        kind: Component
        metadata: { name: pubsub }
        spec: { type: pubsub.in-memory, version: v1 }
        """;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("v1.0/invoke/callee/method/x", 500, "ERR_DIRECT_INVOKE")]
    [InlineData("v1.0/state/statestore", 400, "ERR_MALFORMED_REQUEST")]
    [InlineData("v1.0/publish/pubsub/t", 500, "ERR_PUBSUB_PUBLISH_MESSAGE")]
    [InlineData("v1.0-alpha1/publish/bulk/pubsub/t", 400, "ERR_PUBSUB_EVENTS_SER")]
    [InlineData("v1.0/actors/T/1/method/m", 400, "ERR_BAD_REQUEST")]
    [InlineData("v1.0/metadata/label", 400, "ERR_BODY_READ")]
    public async Task Body_OverTheLimit_IsRefusedWhetherItsLengthIsToldOrNot(string path, int status, string code)
    {
        await using var cluster = await TestCluster.OpenAsync();
        await cluster.StartAsync("callee", app =>
        {
            app.MapGet("/dapr/config", () => Results.Text("""{"entities":["T"]}""", "application/json"));
            app.Run(async context => await context.Request.Body.CopyToAsync(Stream.Null, Stop));
        });
        using var dapr = await cluster.StartCallerAsync(change: options => options with { MaxBodyBytes = 64 * 1024 });
        var bytes = new byte[(64 * 1024) + 1];

        using var told = new ByteArrayContent(bytes);
        using var untold = new StreamContent(new Unmeasured(bytes));
        var verb = path.Contains("/metadata/", StringComparison.Ordinal) ? HttpMethod.Put : HttpMethod.Post;
        await (await dapr.SendAsync(verb, path, told)).IsErrorAsync(status, code);
        await (await dapr.SendAsync(verb, path, untold)).IsErrorAsync(status, code);
    }

    [Fact]
    public async Task Body_ThatComesByteByByte_HoldsUpNobodyElse()
    {
        await using var cluster = await TestCluster.OpenAsync();
        await cluster.StartAsync("callee", app => app.MapPost("/x", async (HttpRequest request) => Results.Text(await new StreamReader(request.Body).ReadToEndAsync(Stop))));
        var sidecar = await cluster.StartSidecarAsync("caller");
        using var quick = TestCluster.ClientOf(sidecar);
        using var slow = new TcpClient();
        await slow.ConnectAsync(IPAddress.Loopback, sidecar.HttpPort, Stop);
        await slow.GetStream().WriteAsync("POST /v1.0/invoke/callee/method/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\n"u8.ToArray(), Stop);

        foreach (var one in "abc")
        {
            await (await quick.SendAsync(HttpMethod.Post, "v1.0/invoke/callee/method/x", new StringContent("quick"))).IsAsync(HttpStatusCode.OK, "quick");
            await slow.GetStream().WriteAsync(new[] { (byte)one }, Stop);
        }

        using var reader = new StreamReader(slow.GetStream());
        Assert.EndsWith("abc", await reader.ReadToEndAsync(Stop), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n2\r\nhi\r\n0\r\n\r\n")]
    [InlineData("Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi")]
    [InlineData("Content-Length: 2\r\nTransfer-Encoding : chunked\r\n\r\nhi")]
    [InlineData("X-A: 1\nX-B: 2\r\nContent-Length: 2\r\n\r\nhi")]
    public async Task Request_OfTwoMeanings_ReachesTheAppWithOneOrNotAtAll(string rest)
    {
        var bodies = new ConcurrentQueue<string>();
        await using var cluster = await TestCluster.OpenAsync();
        await cluster.StartAsync("callee", app => app.MapPost("/x", async (HttpContext context) =>
        {
            Assert.False(context.Request.ContentLength is not null && context.Request.Headers.TransferEncoding.Count > 0);
            bodies.Enqueue(await new StreamReader(context.Request.Body).ReadToEndAsync(Stop));
        }));
        var sidecar = await cluster.StartSidecarAsync("caller");
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, sidecar.HttpPort, Stop);

        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes("POST /v1.0/invoke/callee/method/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + rest), Stop);
        using var reader = new StreamReader(client.GetStream());
        var answer = await reader.ReadToEndAsync(Stop);

        Assert.Matches("^HTTP/1.1 (200|400) ", answer);
        Assert.Equal(answer.StartsWith("HTTP/1.1 200", StringComparison.Ordinal) ? ["hi"] : [], bodies);
    }

    [Theory]
    [InlineData("v1.0/actors/T/..%2F..%2Fx/method/m", 400)]
    [InlineData("v1.0/actors/%2E%2E/1/method/m", 400)]
    [InlineData("v1.0/actors/T/a%5Cb/method/m", 400)]
    [InlineData("v1.0/actors/T/a%00b/method/m", 400)]
    [InlineData("v1.0/actors/T/a%23b/reminders/r", 400)]
    [InlineData("v1.0/invoke/..%2Fother/method/x", 500)]
    [InlineData("v1.0/invoke/%2E%2E/method/x", 500)]
    [InlineData("v1.0/state/..%2Fstatestore/k", 400)]
    [InlineData("v1.0/state/statestore/..%2F..%2Fetc%2Fpasswd", 204)]
    [InlineData("v1.0/secrets/..%2F..%2Fetc/passwd", 500)]
    public async Task Names_ThatClimb_StayNames(string path, int status)
    {
        await using var cluster = await TestCluster.OpenAsync();
        await cluster.StartAsync("callee", app =>
        {
            app.MapGet("/dapr/config", () => Results.Text("""{"entities":["T"]}""", "application/json"));
            app.Run(context => context.Response.WriteAsync("reached", Stop));
        });
        using var dapr = await cluster.StartCallerAsync();

        using var request = new HttpRequestMessage(path.Contains("/reminders/", StringComparison.Ordinal) ? HttpMethod.Post : HttpMethod.Get, new Uri($"{dapr.BaseAddress}{path}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        using var answer = await dapr.SendAsync(request, Stop);

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.DoesNotContain("reached", await answer.TextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Subscriber_ThatStalls_HoldsUpNeitherOthersNorThePublisher()
    {
        var components = TestCluster.Components.Replace("- { name: redisHost, value: \"localhost:6379\" }\n    - { name: actorStateStore", "- { name: actorStateStore", StringComparison.Ordinal).Replace(
            "spec:\n  type: pubsub.redis\n  version: v1\n  metadata:", "spec:\n  type: pubsub.redis\n  version: v1\n  metadata:\n  - { name: consumerID, value: shared }", StringComparison.Ordinal);
        await using var cluster = await TestCluster.OpenAsync(components);
        var never = new TaskCompletionSource();
        var (stalled, handled) = (new ConcurrentQueue<string>(), new ConcurrentQueue<string>());
        const string Subscription = """[{"pubsubname":"pubsub","topic":"t","route":"/t"}]""";
        await cluster.StartAsync("stalls", app =>
        {
            app.MapGet("/dapr/subscribe", () => Results.Text(Subscription, "application/json"));
            app.MapPost("/t", async () =>
            {
                stalled.Enqueue("");
                await never.Task;
            });
        });
        await cluster.StartAsync("works", app =>
        {
            app.MapGet("/dapr/subscribe", () => Results.Text(Subscription, "application/json"));
            app.MapPost("/t", async (HttpContext context) =>
            {
                using var body = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: Stop);
                handled.Enqueue(body.RootElement.GetProperty("data").GetRawText());
            });
        });
        using var dapr = await cluster.StartCallerAsync();

        for (var i = 0; i < 60; i++)
        {
            await (await dapr.SendAsync(HttpMethod.Post, "v1.0/publish/pubsub/t", Answers.Json(i.ToString()))).IsAsync(HttpStatusCode.NoContent);
        }

        // The stalled app holds its ten open deliveries; everything else goes to the one that works.
        while (handled.Count < 50)
        {
            await Task.Delay(5, Stop);
        }

        Assert.Equal((10, 50), (stalled.Count, handled.Distinct().Count()));
        never.SetResult();
    }

    [Fact]
    public async Task Wildcard_OfTheInMemoryType_TakesEveryTopicThatBeginsSo()
    {
        await using var cluster = await TestCluster.OpenAsync(InMemory);
        var topics = new ConcurrentQueue<string>();
        var app = await cluster.StartAsync("subscriber", app =>
        {
            app.MapGet("/dapr/subscribe", () => Results.Text("""[{"pubsubname":"pubsub","topic":"orders/*","route":"/t"}]""", "application/json"));
            app.MapPost("/t", async (HttpContext context) =>
            {
                using var body = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: Stop);
                topics.Enqueue(body.RootElement.GetProperty("topic").GetString()!);
            });
        });

        foreach (var topic in new[] { "orders/a", "bills/a", "orders", "orders/b/c" })
        {
            await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/publish/pubsub/" + topic, Answers.Json("1"))).IsAsync(HttpStatusCode.NoContent);
        }

        while (topics.Count < 2)
        {
            await Task.Delay(5, Stop);
        }

        Assert.Equal(["orders/a", "orders/b/c"], topics);
        var metadata = await (await app.Client.SendAsync(HttpMethod.Get, "v1.0/metadata")).JsonAsync();
        Assert.Equal("SUBSCRIBE_WILDCARDS", metadata.GetProperty("components")[0].GetProperty("capabilities")[0].GetString());
    }

    /// <summary>A stream whose length nobody can ask.</summary>
    private sealed class Unmeasured(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;
    }
}
