using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Platform.Dapr;
using Platform.Dapr.Subscriptions;

namespace Platform.ConformanceTests.Dapr;

/// <summary>The client library's subscriptions, from an app's endpoints to what the sidecar makes of them.</summary>
public sealed partial class SubscriptionClientTests
{
    private const string RetryQuickly = """

        ---
        apiVersion: dapr.io/v1alpha1
        kind: Resiliency
        metadata: { name: resiliency }
        spec:
          policies: { retries: { quick: { policy: constant, duration: 5ms, maxRetries: 5 } } }
          targets: { components: { pubsub: { inbound: { retry: quick } } } }
        """;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task SubscribeHandler_TopicsOfSeveralEndpoints_AreOneDocument()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var app = await cluster.StartAsync("shop", app =>
        {
            app.MapSubscribeHandler();
            app.MapPost("/small", () => { }).WithTopic("pubsub", "orders", deadLetterTopic: "dead");
            app.MapPost("/late", () => { }).WithTopic("pubsub", "orders", "event.type == \"late\"", 2);
            app.MapPost("/big", [Topic("pubsub", "orders", "event.type == \"big\"", 1), Topic("pubsub", "bills", IsRawPayload = true)] () => { });
            app.MapBulkTopic("pubsub", "many", ShopJson.Default.Order, (events, _) => Task.FromResult<IReadOnlyList<TopicStatus>>([]), 7, 8);
        });

        using var client = new HttpClient();
        var document = await client.GetStringAsync(new Uri($"http://127.0.0.1:{app.Port}/dapr/subscribe"), Stop);

        var expected = """
            [{"pubsubname":"pubsub","topic":"orders","routes":{"rules":[{"match":"event.type == \"big\"","path":"/big"},{"match":"event.type == \"late\"","path":"/late"}],"default":"/small"},"deadLetterTopic":"dead"},
             {"pubsubname":"pubsub","topic":"bills","routes":{"rules":[],"default":"/big"},"metadata":{"rawPayload":"true"}},
             {"pubsubname":"pubsub","topic":"many","routes":{"rules":[],"default":"/topics/pubsub/many"},"bulkSubscribe":{"enabled":true,"maxMessagesCount":7,"maxAwaitDurationMs":8}}]
            """;
        Assert.True(JsonElement.DeepEquals(JsonDocument.Parse(expected).RootElement, JsonDocument.Parse(document).RootElement), document);
        var metadata = await (await app.Client.SendAsync(HttpMethod.Get, "v1.0/metadata")).JsonAsync();
        Assert.Equal(["orders", "bills", "many"], metadata.GetProperty("subscriptions").EnumerateArray().Select(subscription => subscription.GetProperty("topic").GetString()));
    }

    [Fact]
    public async Task Topic_HandledRetriedDroppedAndUnreadable_EndWhereTheyShould()
    {
        await using var cluster = await TestCluster.OpenAsync(TestCluster.Components + RetryQuickly);
        var seen = new Seen();
        var app = await cluster.StartAsync("shop", app =>
        {
            app.MapSubscribeHandler();
            app.MapEvents("/orders", ShopJson.Default.Order, (order, _) =>
            {
                seen.Add($"order {order.Data!.Id} from {order.Source}");
                return Task.FromResult(order.Data.Id switch
                {
                    "again" when seen.Count("order again from shop") < 3 => TopicStatus.Retry,
                    "never" => TopicStatus.Drop,
                    _ => TopicStatus.Success,
                });
            }).WithTopic("pubsub", "orders", deadLetterTopic: "dead");
            app.MapTopic("pubsub", "dead", ShopJson.Default.JsonElement, (letter, _) =>
            {
                seen.Add($"dead {letter.Data.GetRawText()} of {letter.Topic}");
                return Task.FromResult(TopicStatus.Success);
            });
        });
        var publisher = app.Services.GetRequiredService<DaprPublisher>();

        foreach (var id in new[] { "good", "again", "never" })
        {
            await publisher.PublishEventAsync("pubsub", "orders", new Order(id), ShopJson.Default.Order, cancellationToken: Stop);
        }

        await publisher.PublishByteEventAsync("pubsub", "orders", "[1]"u8.ToArray(), "application/json", cancellationToken: Stop);

        await seen.UntilAsync(7);
        Assert.Equal(
            ["dead [1] of orders", "dead {\"id\":\"never\"} of orders", "order again from shop", "order again from shop", "order again from shop", "order good from shop", "order never from shop"],
            seen.Sorted);
    }

    [Fact]
    public async Task BulkTopic_OneStatusPerEvent_OnlyTheFailedComeAgain()
    {
        await using var cluster = await TestCluster.OpenAsync(TestCluster.Components + RetryQuickly);
        var seen = new Seen();
        var app = await cluster.StartAsync("shop", app =>
        {
            app.MapSubscribeHandler();
            app.MapBulkTopic("pubsub", "orders", ShopJson.Default.Order, (events, _) =>
            {
                var statuses = events.Select(order => order.Data!.Id == "again" && seen.Count("again") < 2 ? TopicStatus.Retry : TopicStatus.Success).ToList();
                foreach (var order in events)
                {
                    seen.Add(order.Data!.Id);
                }

                return Task.FromResult<IReadOnlyList<TopicStatus>>(statuses);
            }, maxMessagesCount: 3, maxAwaitDurationMs: 5000);
        });
        var publisher = app.Services.GetRequiredService<DaprBulkPublisher>();

        var failures = await publisher.PublishEventsAsync("pubsub", "orders", [new Order("a"), new Order("again"), new Order("c")], ShopJson.Default.Order, cancellationToken: Stop);

        Assert.Empty(failures);
        await seen.UntilAsync(5);
        Assert.Equal(["a", "again", "again", "again", "c"], seen.Sorted);
        var e = await Assert.ThrowsAsync<DaprPublishException>(() => publisher.PublishEventsAsync("nobody", "orders", [new Order("a")], ShopJson.Default.Order, cancellationToken: Stop));
        Assert.Equal((HttpStatusCode.NotFound, "ERR_PUBSUB_NOT_FOUND"), (e.StatusCode, e.ErrorCode));
    }

    [Theory]
    [InlineData("application/json", """{"id":"7"}""", """application/json {"id":"7"}""")]
    [InlineData("text/plain", "hello", "text/plain hello")]
    [InlineData("application/octet-stream", "bytes", "application/octet-stream bytes")]
    public async Task CloudEvents_BeforeAnEndpointOfItsOwn_AreUnwrapped(string type, string body, string expected)
    {
        await using var cluster = await TestCluster.OpenAsync();
        var seen = new Seen();
        var app = await cluster.StartAsync("shop", app =>
        {
            app.UseCloudEvents();
            app.MapSubscribeHandler();
            app.MapPost("/orders", async (HttpContext context) =>
            {
                using var reader = new StreamReader(context.Request.Body);
                seen.Add($"{context.Request.ContentType} {await reader.ReadToEndAsync(Stop)} {context.Request.Headers["Cloudevent.source"]}");
            }).WithTopic("pubsub", "orders");
        });

        await app.Services.GetRequiredService<DaprPublisher>().PublishByteEventAsync("pubsub", "orders", System.Text.Encoding.UTF8.GetBytes(body), type, cancellationToken: Stop);

        await seen.UntilAsync(1);
        Assert.Equal([expected + " shop"], seen.Sorted);
    }

    [Fact]
    public async Task Endpoints_OfAnAppWithAToken_TakeNothingFromOthers()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var seen = new Seen();
        var app = await cluster.StartAsync(
            "shop",
            app =>
            {
                app.MapSubscribeHandler();
                app.MapTopic("pubsub", "orders", ShopJson.Default.Order, (order, _) =>
                {
                    seen.Add(order.Data!.Id);
                    return Task.FromResult(TopicStatus.Success);
                });
            },
            change: options => options with { AppApiToken = "secret" });
        using var stranger = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{app.Port}/") };

        await (await stranger.SendAsync(HttpMethod.Get, "dapr/subscribe")).IsAsync(HttpStatusCode.Unauthorized);
        await (await stranger.SendAsync(HttpMethod.Post, "topics/pubsub/orders", Answers.Json("""{"id":"1","data":{"id":"forged"}}"""), ("dapr-api-token", "guess"))).IsAsync(HttpStatusCode.Unauthorized);
        await app.Services.GetRequiredService<DaprPublisher>().PublishEventAsync("pubsub", "orders", new Order("real"), ShopJson.Default.Order, cancellationToken: Stop);

        await seen.UntilAsync(1);
        Assert.Equal(["real"], seen.Sorted);
    }

    private sealed record Order(string Id);

    [JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
    [JsonSerializable(typeof(Order))]
    [JsonSerializable(typeof(JsonElement))]
    private sealed partial class ShopJson : JsonSerializerContext;

    /// <summary>What the handlers saw.</summary>
    private sealed class Seen
    {
        private readonly ConcurrentQueue<string> _all = new();

        public IEnumerable<string> Sorted => _all.Order(StringComparer.Ordinal);

        public void Add(string what) => _all.Enqueue(what);

        public int Count(string what) => _all.Count(each => each == what);

        public async Task UntilAsync(int count)
        {
            while (_all.Count < count)
            {
                await Task.Delay(5, Stop);
            }
        }
    }
}
