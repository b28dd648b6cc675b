using System.Net;
using System.Text;
using System.Text.Json;

namespace Platform.ConformanceTests.Dapr;

/// <summary>Traps of publishing and delivery (sections 5 and 6 of the contract).</summary>
public sealed class PubSubTrapTests
{
    private const string Publish = "v1.0/publish/pubsub/orders";
    private const string DeadLetters = """[{"pubsubname":"pubsub","topic":"orders","route":"/orders","deadLetterTopic":"dead"},{"pubsubname":"pubsub","topic":"dead","route":"/dead"}]""";

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Publish_WithoutAContentType_IsText()
    {
        var (cluster, app, recording) = await StartAsync();
        await using var _ = cluster;
        using var content = new ByteArrayContent("""{"a":1}"""u8.ToArray());

        await (await app.Client.SendAsync(HttpMethod.Post, Publish, content)).IsAsync(HttpStatusCode.NoContent);

        var e = (await recording.UntilAsync("/orders", 1))[0].Json;
        Assert.Equal(("text/plain", """{"a":1}"""), (e.GetProperty("datacontenttype").GetString(), e.GetProperty("data").GetString()));
    }

    [Theory]
    [InlineData("application/json", """{"text":"cut \ud83d","\ude00":"\ud83d\ude00"}""", """{"text":"cut \ufffd","\ufffd":"\ud83d\ude00"}""")]
    [InlineData("application/cloudevents+json", """{"id":"1","source":"s","type":"t","specversion":"1.0","data":"\udead"}""", "\"\ufffd\"")]
    public async Task Publish_TextThatWasCutInAPair_ArrivesWithAReplacementForTheHalf(string type, string body, string expected)
    {
        var (cluster, app, recording) = await StartAsync();
        await using var _ = cluster;
        using var content = new StringContent(body, Encoding.UTF8, type);

        await (await app.Client.SendAsync(HttpMethod.Post, Publish, content)).IsAsync(HttpStatusCode.NoContent);

        var data = (await recording.UntilAsync("/orders", 1))[0].Json.GetProperty("data");
        Assert.True(JsonElement.DeepEquals(JsonDocument.Parse(expected).RootElement, data), data.GetRawText());
    }

    [Fact]
    public async Task Publish_JsonThatIsNone_ArrivesAsText()
    {
        var (cluster, app, recording) = await StartAsync();
        await using var _ = cluster;

        await app.Client.SendAsync(HttpMethod.Post, Publish, Answers.Json("{broken"));

        Assert.Equal("{broken", (await recording.UntilAsync("/orders", 1))[0].Json.GetProperty("data").GetString());
    }

    [Fact]
    public async Task Publish_WithOverrides_HasThemInTheEnvelopeAndTheTraceAsHeader()
    {
        var (cluster, app, recording) = await StartAsync();
        await using var _ = cluster;
        const string Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

        await app.Client.SendAsync(HttpMethod.Post, $"{Publish}?metadata.cloudevent.id=mine&metadata.cloudevent.source=me&metadata.cloudevent.subject=about&metadata.cloudevent.traceparent={Trace}", Answers.Json("1"));

        var delivery = (await recording.UntilAsync("/orders", 1))[0];
        Assert.Equal(("mine", "me", "about", Trace), (delivery.Json.GetProperty("id").GetString(), delivery.Json.GetProperty("source").GetString(), delivery.Json.GetProperty("subject").GetString(), delivery.Json.GetProperty("traceparent").GetString()));
        Assert.Equal((Trace, "pubsub"), (delivery.Header("traceparent"), delivery.Header("pubsubname")));
    }

    [Fact]
    public async Task Expired_Event_GoesToTheDeadLettersUndelivered()
    {
        // Read raw: as an event it is expired among the dead letters too.
        var (cluster, app, recording) = await StartAsync("""[{"pubsubname":"pubsub","topic":"orders","route":"/orders","deadLetterTopic":"dead"},{"pubsubname":"pubsub","topic":"dead","route":"/dead","metadata":{"rawPayload":"true"}}]""");
        await using var _ = cluster;
        using var old = new StringContent("""{"specversion":"1.0","id":"old","source":"s","type":"t","expiration":"2020-01-01T00:00:00Z","data":1}""", Encoding.UTF8, "application/cloudevents+json");

        await (await app.Client.SendAsync(HttpMethod.Post, Publish, old)).IsAsync(HttpStatusCode.NoContent);

        var letter = Encoding.UTF8.GetString((await recording.UntilAsync("/dead", 1))[0].Json.GetProperty("data_base64").GetBytesFromBase64());
        Assert.Contains("\"old\"", letter, StringComparison.Ordinal);
        Assert.Empty(recording.Of("/orders"));
    }

    [Theory]
    [InlineData(200, """{"status":"PERHAPS"}""")]
    [InlineData(200, """{"status":"RETRY"}""")]
    [InlineData(500, "")]
    [InlineData(301, "")]
    public async Task Failure_WithoutARetryPolicy_IsADeadLetterAtOnce(int status, string answer)
    {
        var (cluster, app, recording) = await StartAsync(DeadLetters, (request, _) => request.Path == "/orders" ? (status, answer) : (200, ""));
        await using var _ = cluster;

        await app.Client.SendAsync(HttpMethod.Post, Publish, Answers.Json("1"));

        await recording.UntilAsync("/dead", 1);
        Assert.Single(recording.Of("/orders"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("not json at all")]
    [InlineData("""{"status":""}""")]
    [InlineData("""{"other":1}""")]
    [InlineData("[]")]
    public async Task Success_InAnyWords_IsNotDeliveredAgain(string answer)
    {
        var (cluster, app, recording) = await StartAsync(DeadLetters, (_, _) => (200, answer));
        await using var _ = cluster;

        await app.Client.SendAsync(HttpMethod.Post, Publish, Answers.Json("1"));
        await recording.UntilAsync("/orders", 1);
        await app.Client.SendAsync(HttpMethod.Post, "v1.0/publish/pubsub/dead", Answers.Json("\"last\""));

        var dead = await recording.UntilAsync("/dead", 1);
        Assert.Equal("last", dead[0].Json.GetProperty("data").GetString());
        Assert.Single(recording.Of("/orders"));
    }

    [Fact]
    public async Task Subscription_WithBothForms_TakesRoutesAndItsDefaultBeatsRoute()
    {
        var (cluster, app, recording) = await StartAsync("""[{"pubsubname":"pubsub","topic":"orders","route":"/old","routes":{"rules":[{"match":"","path":"always"}],"default":"/new"}},{"pubsubname":"pubsub","topic":"plain","route":"/old","routes":{"default":"/new"}},{"pubsubname":"pubsub","topic":"none"}]""");
        await using var _ = cluster;

        await app.Client.SendAsync(HttpMethod.Post, Publish, Answers.Json("1"));
        await app.Client.SendAsync(HttpMethod.Post, "v1.0/publish/pubsub/plain", Answers.Json("1"));

        await recording.UntilAsync("/always", 1);
        await recording.UntilAsync("/new", 1);
        Assert.Empty(recording.Of("/old"));
        var metadata = await (await app.Client.SendAsync(HttpMethod.Get, "v1.0/metadata")).JsonAsync();
        Assert.Equal(["orders", "plain"], metadata.GetProperty("subscriptions").EnumerateArray().Select(subscription => subscription.GetProperty("topic").GetString()));
    }

    [Theory]
    [InlineData("/orders:placed")]
    [InlineData("orders:placed")]
    [InlineData("/orders/a%3Ab")]
    [InlineData("//orders")]
    public async Task Subscription_WithARouteThatLooksLikeAnAddress_IsCalledAtTheApp(string route)
    {
        var (cluster, app, recording) = await StartAsync($$"""[{"pubsubname":"pubsub","topic":"orders","route":"{{route}}"}]""");
        await using var _ = cluster;

        await app.Client.SendAsync(HttpMethod.Post, Publish, Answers.Json("1"));

        await recording.UntilAsync("/" + Uri.UnescapeDataString(route.TrimStart('/')), 1);
    }

    [Fact]
    public async Task Subscription_OfTheApp_BeatsThatOfAFile()
    {
        var (cluster, app, recording) = await StartAsync(components: TestCluster.Components + """

            ---
            apiVersion: dapr.io/v1alpha1
            kind: Subscription
            metadata: { name: file }
            spec: { pubsubname: pubsub, topic: orders, route: /file }
            """);
        await using var _ = cluster;

        await app.Client.SendAsync(HttpMethod.Post, Publish, Answers.Json("1"));

        await recording.UntilAsync("/orders", 1);
        Assert.Empty(recording.Of("/file"));
    }

    [Fact]
    public async Task Scopes_OfTheComponent_DecideWhoPublishesAndSubscribesWhat()
    {
        const string Components = """
            apiVersion: dapr.io/v1alpha1
            kind: Component
            metadata: { name: pubsub }
            spec:
              type: pubsub.redis
              version: v1
              metadata:
              - { name: publishingScopes, value: "app=orders;other=" }
              - { name: subscriptionScopes, value: "app=orders" }
              - { name: allowedTopics, value: "orders,bills" }
            """;
        var (cluster, app, recording) = await StartAsync("""[{"pubsubname":"pubsub","topic":"orders","route":"/orders"},{"pubsubname":"pubsub","topic":"bills","route":"/bills"}]""", components: Components);
        await using var _ = cluster;
        using var other = await cluster.StartCallerAsync("other");
        using var third = await cluster.StartCallerAsync("third");

        await (await app.Client.SendAsync(HttpMethod.Post, Publish, Answers.Json("1"))).IsAsync(HttpStatusCode.NoContent);
        await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/publish/pubsub/bills", Answers.Json("1"))).IsErrorAsync(403, "ERR_PUBSUB_FORBIDDEN");
        await (await other.SendAsync(HttpMethod.Post, Publish, Answers.Json("1"))).IsErrorAsync(403, "ERR_PUBSUB_FORBIDDEN");
        await (await third.SendAsync(HttpMethod.Post, "v1.0/publish/pubsub/bills", Answers.Json("1"))).IsAsync(HttpStatusCode.NoContent);
        await (await third.SendAsync(HttpMethod.Post, "v1.0/publish/pubsub/unknown", Answers.Json("1"))).IsErrorAsync(403, "ERR_PUBSUB_FORBIDDEN");

        await recording.UntilAsync("/orders", 1);
        var metadata = await (await app.Client.SendAsync(HttpMethod.Get, "v1.0/metadata")).JsonAsync();
        Assert.Equal("orders", Assert.Single(metadata.GetProperty("subscriptions").EnumerateArray()).GetProperty("topic").GetString());
    }

    [Theory]
    [InlineData(200, "nonsense", 2)]
    [InlineData(500, "", 2)]
    [InlineData(404, "", 1)]
    [InlineData(200, """{"statuses":[{"entryId":"0","status":""}]}""", 2)]
    public async Task Bulk_AnsweredOddly_IsRetriedAsAWholeAndA404IsHandled(int status, string answer, int calls)
    {
        var subscription = """[{"pubsubname":"pubsub","topic":"orders","route":"/bulk","metadata":{"rawPayload":"true"},"bulkSubscribe":{"enabled":true,"maxMessagesCount":1}},{"pubsubname":"pubsub","topic":"end","route":"/end"}]""";
        var (cluster, app, recording) = await StartAsync(
            subscription,
            (request, count) => request.Path == "/bulk" && count == 1 ? (status, answer) : (200, """{"statuses":[{"entryId":"0","status":"SUCCESS"}]}"""),
            TestCluster.Components + """

                ---
                apiVersion: dapr.io/v1alpha1
                kind: Resiliency
                metadata: { name: resiliency }
                spec:
                  policies: { retries: { quick: { policy: constant, duration: 5ms, maxRetries: 3 } } }
                  targets: { components: { pubsub: { inbound: { retry: quick } } } }
                """);
        await using var _ = cluster;

        await app.Client.SendAsync(HttpMethod.Post, Publish + "?metadata.rawPayload=true", new StringContent("hi"));

        var entry = (await recording.UntilAsync("/bulk", calls))[^1].Json.GetProperty("entries")[0];
        Assert.Equal(("application/octet-stream", "aGk="), (entry.GetProperty("contentType").GetString(), entry.GetProperty("event").GetString()));
        await app.Client.SendAsync(HttpMethod.Post, "v1.0/publish/pubsub/end", Answers.Json("1"));
        await recording.UntilAsync("/end", 1);
        Assert.Equal(calls, recording.Of("/bulk").Count);
    }

    private static async Task<(TestCluster Cluster, TestApp App, RecordingApp Recording)> StartAsync(
        string subscriptions = """[{"pubsubname":"pubsub","topic":"orders","route":"/orders"}]""", Func<Recorded, int, (int Status, string Body)>? answer = null, string components = TestCluster.Components)
    {
        var cluster = await TestCluster.OpenAsync(components);
        var recording = new RecordingApp { Subscribe = subscriptions, Answer = answer ?? ((_, _) => (200, "")) };
        return (cluster, await cluster.StartAsync("app", recording.Map), recording);
    }
}
