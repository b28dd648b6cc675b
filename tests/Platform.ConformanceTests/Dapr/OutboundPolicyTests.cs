using System.Net;

namespace Platform.ConformanceTests.Dapr;

/// <summary>Policies of Resiliency resources on the components that an app calls: the state store and the broker.</summary>
/// <remarks>The store's failure is a real one: a commit over its limit of 64 MiB. How often it was tried shows in the breaker, not in times.</remarks>
public sealed class OutboundPolicyTests
{
    private const string Retries = "retries: { quick: { policy: constant, duration: 1ms, maxRetries: 2 } }";
    private const string Breaker = """circuitBreakers: { third: { timeout: 1h, trip: "consecutiveFailures >= 3" } }""";
    private static readonly string TooLarge = "\"" + new string('x', 65 * 1024 * 1024) + "\"";

    [Theory]
    [InlineData("circuitBreaker: third", HttpStatusCode.NoContent)]
    [InlineData("circuitBreaker: third, retry: quick", HttpStatusCode.InternalServerError)]
    public async Task StateStore_WriteThatFails_IsTriedAsThePolicySaysAndCounted(string target, HttpStatusCode afterwards)
    {
        await using var cluster = await OpenAsync("statestore", target);
        using var dapr = await StartAsync(cluster);

        await (await dapr.SendAsync(HttpMethod.Post, "v1.0/state/statestore", Answers.Json($$"""[{"key":"k","value":{{TooLarge}}}]"""))).IsErrorAsync(500, "ERR_STATE_SAVE");

        Assert.Equal(afterwards, (await dapr.SendAsync(HttpMethod.Post, "v1.0/state/statestore", Answers.Json("""[{"key":"k","value":1}]"""))).StatusCode);
        if (afterwards == HttpStatusCode.InternalServerError)
        {
            await (await dapr.SendAsync(HttpMethod.Get, "v1.0/state/statestore/k")).IsErrorAsync(500, "ERR_STATE_GET");
            await (await dapr.SendAsync(HttpMethod.Delete, "v1.0/state/statestore/k")).IsErrorAsync(500, "ERR_STATE_DELETE");
            await (await dapr.SendAsync(HttpMethod.Post, "v1.0/state/statestore/bulk", Answers.Json("""{"keys":["k"]}"""))).IsErrorAsync(500, "ERR_STATE_BULK_GET");
            await (await dapr.SendAsync(HttpMethod.Post, "v1.0/state/statestore/transaction", Answers.Json("""{"operations":[{"operation":"delete","request":{"key":"k"}}]}"""))).IsErrorAsync(500, "ERR_STATE_TRANSACTION");
        }
    }

    [Fact]
    public async Task StateStore_WrongETag_IsAnAnswerThatNoPolicyRepeatsOrCounts()
    {
        await using var cluster = await OpenAsync("statestore", "circuitBreaker: third, retry: quick");
        using var dapr = await StartAsync(cluster);
        const string Stale = """[{"key":"k","value":1,"etag":"7"}]""";

        for (var i = 0; i < 4; i++)
        {
            await (await dapr.SendAsync(HttpMethod.Post, "v1.0/state/statestore", Answers.Json(Stale))).IsErrorAsync(409, "ERR_STATE_SAVE");
        }
    }

    [Theory]
    [InlineData("circuitBreaker: third", HttpStatusCode.NoContent)]
    [InlineData("circuitBreaker: third, retry: quick", HttpStatusCode.InternalServerError)]
    public async Task PubSub_PublishThatFails_IsTriedAsThePolicySaysAndCounted(string target, HttpStatusCode afterwards)
    {
        await using var cluster = await OpenAsync("pubsub", target);
        await cluster.StartAsync("reader", new RecordingApp { Subscribe = """[{"pubsubname":"pubsub","topic":"t","route":"/t"}]""" }.Map);
        using var dapr = await StartAsync(cluster);

        await (await dapr.SendAsync(HttpMethod.Post, "v1.0/publish/pubsub/t", Answers.Json(TooLarge))).IsErrorAsync(500, "ERR_PUBSUB_PUBLISH_MESSAGE");

        Assert.Equal(afterwards, (await dapr.SendAsync(HttpMethod.Post, "v1.0/publish/pubsub/t", Answers.Json("1"))).StatusCode);
    }

    [Theory]
    [InlineData("statestore", "v1.0/state/statestore", """[{"key":"k","value":1}]""", "ERR_STATE_SAVE")]
    [InlineData("pubsub", "v1.0/publish/pubsub/t", "1", "ERR_PUBSUB_PUBLISH_MESSAGE")]
    public async Task Timeout_EndsTheWaiting(string component, string path, string body, string code)
    {
        await using var cluster = await OpenAsync(component, "timeout: none");
        await cluster.StartAsync("reader", new RecordingApp { Subscribe = """[{"pubsubname":"pubsub","topic":"t","route":"/t"}]""" }.Map);
        using var dapr = await StartAsync(cluster);

        await (await dapr.SendAsync(HttpMethod.Post, path, Answers.Json(body))).IsErrorAsync(500, code);
    }

    [Theory]
    [InlineData("DefaultStatestoreComponentOutboundRetryPolicy", HttpStatusCode.InternalServerError)]
    [InlineData("DefaultComponentOutboundRetryPolicy", HttpStatusCode.InternalServerError)]
    [InlineData("DefaultComponentRetryPolicy", HttpStatusCode.InternalServerError)]
    [InlineData("DefaultRetryPolicy", HttpStatusCode.InternalServerError)]
    [InlineData("DefaultPubsubComponentOutboundRetryPolicy", HttpStatusCode.NoContent)]
    [InlineData("DefaultStatestoreComponentInboundRetryPolicy", HttpStatusCode.NoContent)]
    public async Task DefaultPolicy_HoldsByItsName(string name, HttpStatusCode afterwards)
    {
        await using var cluster = await OpenAsync("statestore", "circuitBreaker: third", Retries.Replace("quick", name, StringComparison.Ordinal));
        using var dapr = await StartAsync(cluster);

        await (await dapr.SendAsync(HttpMethod.Post, "v1.0/state/statestore", Answers.Json($$"""[{"key":"k","value":{{TooLarge}}}]"""))).IsErrorAsync(500, "ERR_STATE_SAVE");

        Assert.Equal(afterwards, (await dapr.SendAsync(HttpMethod.Post, "v1.0/state/statestore", Answers.Json("""[{"key":"k","value":1}]"""))).StatusCode);
    }

    private static Task<HttpClient> StartAsync(TestCluster cluster) => cluster.StartCallerAsync(change: options => options with { MaxBodyBytes = 128 * 1024 * 1024 });

    private static Task<TestCluster> OpenAsync(string component, string target, string retries = Retries) => TestCluster.OpenAsync($$"""
        {{TestCluster.Components}}
        ---
        apiVersion: dapr.io/v1alpha1
        kind: Resiliency
        metadata: { name: resiliency }
        spec:
          policies:
            timeouts: { none: 1us }
            {{retries}}
            {{Breaker}}
          targets:
            components:
              {{component}}:
                outbound: { {{target}} }
        """);
}
