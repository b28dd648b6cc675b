using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Platform.ConformanceTests.Dapr;

/// <summary>Checks 7 to 10 of the contract.</summary>
public sealed class PubSubTests
{
    private const string Publish = "v1.0/publish/pubsub/orders";

    private const string RetryThreeTimes = """

        ---
        apiVersion: dapr.io/v1alpha1
        kind: Resiliency
        metadata: { name: resiliency }
        spec:
          policies:
            retries:
              quick: { policy: constant, duration: 10ms, maxRetries: 3 }
          targets:
            components:
              pubsub:
                inbound: { retry: quick }
        """;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("text/plain", "hello", "data", "\"hello\"")]
    [InlineData("application/json", """{"a": 1}""", "data", """{"a": 1}""")]
    [InlineData("application/octet-stream", "hi", "data_base64", "\"aGk=\"")]
    [InlineData("application/vnd.x+json", "[1]", "data", "[1]")]
    public async Task Publish_AnyContent_ArrivesAsCloudEvent(string type, string body, string member, string expected)
    {
        await using var cluster = await TestCluster.OpenAsync();
        var inbox = new Inbox();
        await cluster.StartAsync("subscriber", inbox.Map("""[{"pubsubname":"pubsub","topic":"orders","route":"/orders"}]"""));
        using var dapr = await cluster.StartCallerAsync();
        var content = new StringContent(body);
        content.Headers.ContentType = new(type);

        await (await dapr.SendAsync(HttpMethod.Post, Publish, content)).IsAsync(HttpStatusCode.NoContent, "");

        var (path, contentType, e) = (await inbox.UntilAsync(1))[0];
        Assert.Equal("/orders", path);
        Assert.Equal("application/cloudevents+json", contentType);
        Assert.True(JsonElement.DeepEquals(JsonDocument.Parse(expected).RootElement, e.GetProperty(member)));
        Assert.Equal(("1.0", type, "pubsub", "orders", "caller", "com.dapr.event.sent"), (Text(e, "specversion"), Text(e, "datacontenttype"), Text(e, "pubsubname"), Text(e, "topic"), Text(e, "source"), Text(e, "type")));
    }

    [Fact]
    public async Task Publish_Envelope_KeepsItsOwnFields()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var inbox = new Inbox();
        await cluster.StartAsync("subscriber", inbox.Map("""[{"pubsubName":"pubsub","topic":"orders","route":"orders"}]"""));
        using var dapr = await cluster.StartCallerAsync();
        var content = new StringContent("""{"specversion":"1.0","id":"mine","source":"me","type":"t","topic":"other","data":{"x":1}}""");
        content.Headers.ContentType = new("application/cloudevents+json");

        await (await dapr.SendAsync(HttpMethod.Post, Publish, content)).IsAsync(HttpStatusCode.NoContent);

        var e = (await inbox.UntilAsync(1))[0].Event;
        Assert.Equal(("mine", "me", "t", "orders", "pubsub"), (Text(e, "id"), Text(e, "source"), Text(e, "type"), Text(e, "topic"), Text(e, "pubsubname")));
    }

    [Fact]
    public async Task Retry_ThenSuccess_RedeliversTheSameEvent()
    {
        await using var cluster = await TestCluster.OpenAsync(TestCluster.Components + RetryThreeTimes);
        var inbox = new Inbox { Answer = (_, count) => count < 3 ? """{"status":"RETRY"}""" : """{"status":"SUCCESS"}""" };
        await cluster.StartAsync("subscriber", inbox.Map("""[{"pubsubname":"pubsub","topic":"orders","route":"/orders"}]"""));
        using var dapr = await cluster.StartCallerAsync();

        await dapr.SendAsync(HttpMethod.Post, Publish, Answers.Json("1"));

        var events = await inbox.UntilAsync(3);
        Assert.Single(events.Select(e => Text(e.Event, "id")).Distinct());
    }

    [Theory]
    [InlineData("""{"status":"DROP"}""", 200, true, 1)]
    [InlineData("", 404, true, 1)]
    [InlineData("", 500, true, 4)]
    [InlineData("", 302, false, 1)]
    public async Task Failure_GoesToTheDeadLetters(string answer, int status, bool hasRetry, int attempts)
    {
        await using var cluster = await TestCluster.OpenAsync(TestCluster.Components + (hasRetry ? RetryThreeTimes : ""));
        var inbox = new Inbox { Answer = (path, _) => path == "/dead" ? "" : answer, Status = path => path == "/dead" ? 200 : status };
        await cluster.StartAsync("subscriber", inbox.Map("""[{"pubsubname":"pubsub","topic":"orders","route":"/orders","deadLetterTopic":"dlq"},{"pubsubname":"pubsub","topic":"dlq","route":"/dead"}]"""));
        using var dapr = await cluster.StartCallerAsync();

        await dapr.SendAsync(HttpMethod.Post, Publish, Answers.Json("1"));

        var events = await inbox.UntilAsync(attempts + 1);
        Assert.Equal([.. Enumerable.Repeat("/orders", attempts), "/dead"], events.Select(e => e.Path));
        Assert.Equal("orders", Text(events[^1].Event, "topic"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Rules_FirstMatchDefaultAndNone_AreTheSameInBothForms(bool isDeclarative)
    {
        const string Resource = """

            ---
            apiVersion: dapr.io/v2alpha1
            kind: Subscription
            metadata: { name: orders }
            spec:
              pubsubname: pubsub
              topic: orders
              routes:
                rules:
                - { match: 'event.type == "big" && int(event.data.size) > 10', path: /big }
                - { match: 'event.type.startsWith("s") || has(event.data.small)', path: /small }
            ---
            apiVersion: dapr.io/v1alpha1
            kind: Subscription
            metadata: { name: elsewhere }
            spec: { pubsubname: pubsub, topic: elsewhere, route: /elsewhere }
            scopes: [nobody]
            """;
        const string Programmatic = """[{"pubsubname":"pubsub","topic":"orders","routes":{"rules":[{"match":"event.type == \"big\" && int(event.data.size) > 10","path":"/big"},{"match":"event.type.startsWith(\"s\") || has(event.data.small)","path":"/small"}]}}]""";
        await using var cluster = await TestCluster.OpenAsync(TestCluster.Components + (isDeclarative ? Resource : ""));
        var inbox = new Inbox();
        await cluster.StartAsync("subscriber", inbox.Map(isDeclarative ? null : Programmatic));
        using var dapr = await cluster.StartCallerAsync();

        foreach (var (type, data) in new[] { ("none", "{}"), ("big", """{"size":"11"}"""), ("sent", "{}"), ("x", """{"small":true}""") })
        {
            await (await dapr.SendAsync(HttpMethod.Post, $"{Publish}?metadata.cloudevent.type={type}", Answers.Json(data))).IsAsync(HttpStatusCode.NoContent);
        }

        Assert.Equal(["/big", "/small", "/small"], (await inbox.UntilAsync(3)).Select(e => e.Path).Order());
    }

    [Fact]
    public async Task Rule_OutsideTheSubset_IsRefusedWithFileAndLine()
    {
        await using var cluster = await TestCluster.OpenAsync(TestCluster.Components + """

            ---
            apiVersion: dapr.io/v2alpha1
            kind: Subscription
            metadata: { name: orders }
            spec:
              pubsubname: pubsub
              topic: orders
              routes:
                rules:
                - match: event.data.map(x, x > 1)
                  path: /x
            """);

        var e = await Assert.ThrowsAsync<Platform.Local.Sidecar.SidecarException>(() => cluster.StartSidecarAsync("app"));

        Assert.Contains("all.yaml(", e.Message, StringComparison.Ordinal);
        Assert.Contains("map", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bulk_PublishedAndSubscribed_RetriesOnlyWhatIsMissing()
    {
        await using var cluster = await TestCluster.OpenAsync(TestCluster.Components + RetryThreeTimes);
        var batches = new ConcurrentQueue<string[]>();
        await cluster.StartAsync("subscriber", app =>
        {
            app.MapGet("/dapr/subscribe", () => Results.Text("""[{"pubsubname":"pubsub","topic":"orders","route":"/bulk","bulkSubscribe":{"enabled":true,"maxMessagesCount":3,"maxAwaitDurationMs":500}}]""", "application/json"));
            app.MapPost("/bulk", async (HttpContext context) =>
            {
                using var body = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: Stop);
                var entries = body.RootElement.GetProperty("entries").EnumerateArray().ToList();
                batches.Enqueue([.. entries.Select(entry => entry.GetProperty("event").GetProperty("data").GetString()!)]);
                var first = entries[0].GetProperty("entryId").GetString();
                return Results.Text($$"""{"statuses":[{"entryId":"{{first}}","status":"SUCCESS"}]}""", "application/json");
            });
        });
        using var dapr = await cluster.StartCallerAsync();

        await (await dapr.SendAsync(HttpMethod.Post, "v1.0-alpha1/publish/bulk/pubsub/orders", Answers.Json("""[{"entryID":"1","event":"a","contentType":"text/plain"},{"entryId":"1","event":"b","contentType":"text/plain"}]"""))).IsErrorAsync(400, "ERR_PUBSUB_EVENTS_SER");
        await (await dapr.SendAsync(HttpMethod.Post, "v1.0-alpha1/publish/bulk/pubsub/orders", Answers.Json("""[{"entryID":"1","event":"a","contentType":"text/plain"},{"entryId":"2","event":"b","contentType":"text/plain"},{"entryId":"3","event":"c","contentType":"text/plain"}]"""))).IsAsync(HttpStatusCode.NoContent, "");

        while (batches.Count < 3)
        {
            await Task.Delay(10, Stop);
        }

        Assert.Equal([["a", "b", "c"], ["b", "c"], ["c"]], batches);
    }

    [Theory]
    [InlineData("""[{"entryId":"","event":"a","contentType":"text/plain"}]""", "DAPR_PUBSUB_MARSHAL_EVENTS", "entryId is duplicated or not present for entry")]
    [InlineData("""[{"entryId":"1","event":"a","contentType":"text/plain"},{"entryId":"1","event":"b","contentType":"text/plain"}]""", "DAPR_PUBSUB_MARSHAL_EVENTS", "entryId is duplicated or not present for entry")]
    [InlineData("""[{"entryId":"1","event":"a"}]""", "DAPR_PUBSUB_MARSHAL_ENVELOPE", "mismatch between contentType and event")]
    [InlineData("""[{"entryId":"1","event":{},"contentType":"text/plain"}]""", "DAPR_PUBSUB_MARSHAL_ENVELOPE", "mismatch between contentType and event")]
    [InlineData("""[{"entryId":"1","event":"a","contentType":"image/png"}]""", "DAPR_PUBSUB_MARSHAL_ENVELOPE", "mismatch between contentType and event")]
    [InlineData("""[{"entryId":"1","event":"?","contentType":"application/octet-stream"}]""", "DAPR_PUBSUB_MARSHAL_ENVELOPE", "unable to decode base64")]
    [InlineData("""{"entryId":"1"}""", "DAPR_PUBSUB_UNMARSHAL_EVENTS", "error when unmarshaling the request for topic orders pubsub pubsub")]
    [InlineData("[", "DAPR_PUBSUB_UNMARSHAL_EVENTS", "error when unmarshaling the request for topic orders pubsub pubsub")]
    public async Task Bulk_ThatCannotBeRead_IsRefusedWhole(string body, string reason, string words)
    {
        await using var cluster = await TestCluster.OpenAsync();
        using var dapr = await cluster.StartCallerAsync();

        var answer = await dapr.SendAsync(HttpMethod.Post, "v1.0-alpha1/publish/bulk/pubsub/orders", Answers.Json(body));

        await answer.IsErrorAsync(400, "ERR_PUBSUB_EVENTS_SER");
        Assert.Equal(reason, (await answer.JsonAsync()).GetProperty("details")[0].GetProperty("reason").GetString());
        Assert.Contains(words, (await answer.JsonAsync()).GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Raw_MessageForAReaderOfEvents_WaitsUntilItIsReadRaw()
    {
        await using var cluster = await TestCluster.OpenAsync(TestCluster.Components.Replace("  type: pubsub.redis\n  version: v1\n  metadata:", "  type: pubsub.redis\n  version: v1\n  metadata:\n  - { name: processingTimeout, value: 20ms }", StringComparison.Ordinal));
        var (lives, inbox) = (0, new Inbox());
        var app = await cluster.StartAsync("subscriber", app => inbox.Map(++lives == 1
            ? """[{"pubsubname":"pubsub","topic":"orders","route":"/orders"}]"""
            : """[{"pubsubname":"pubsub","topic":"orders","route":"/orders","metadata":{"rawPayload":"true"}}]""")(app));
        await (await app.Client.SendAsync(HttpMethod.Post, Publish + "?metadata.rawPayload=true", new StringContent("no event"))).IsAsync(HttpStatusCode.NoContent);

        await app.StopAsync();
        await app.UntilAwayAsync();
        await app.StartAsync();

        Assert.Equal("no event"u8.ToArray(), (await inbox.UntilAsync(1))[0].Event.GetProperty("data_base64").GetBytesFromBase64());
    }

    [Fact]
    public async Task RawPayload_GoesOutAsItIsAndArrivesAsBase64()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var inbox = new Inbox();
        await cluster.StartAsync("subscriber", inbox.Map("""[{"pubsubname":"pubsub","topic":"orders","route":"/orders","metadata":{"rawPayload":"true"}}]"""));
        using var dapr = await cluster.StartCallerAsync();

        await (await dapr.SendAsync(HttpMethod.Post, Publish + "?metadata.rawPayload=true", new StringContent("hi"))).IsAsync(HttpStatusCode.NoContent);
        await (await dapr.SendAsync(HttpMethod.Post, Publish + "?metadata.rawPayload=yes", new StringContent("hi"))).IsErrorAsync(400, "ERR_PUBSUB_REQUEST_METADATA");

        var e = (await inbox.UntilAsync(1))[0].Event;
        Assert.Equal(("aGk=", "application/octet-stream", "Dapr"), (Text(e, "data_base64"), Text(e, "datacontenttype"), Text(e, "source")));
    }

    [Fact]
    public async Task Errors_AreDaprs()
    {
        await using var cluster = await TestCluster.OpenAsync();
        using var dapr = await cluster.StartCallerAsync();

        await (await dapr.SendAsync(HttpMethod.Post, "v1.0/publish/nobody/t", Answers.Json("1"))).IsErrorAsync(404, "ERR_PUBSUB_NOT_FOUND");
        await (await dapr.SendAsync(HttpMethod.Post, "v1.0/publish/pubsub/", Answers.Json("1"))).IsErrorAsync(404, "ERR_TOPIC_NAME_EMPTY");
        await (await dapr.SendAsync(HttpMethod.Post, "v1.0/publish/pubsub/a/b", Answers.Json("1"))).IsAsync(HttpStatusCode.NoContent);
        var content = new StringContent("not json");
        content.Headers.ContentType = new("application/cloudevents+json");
        await (await dapr.SendAsync(HttpMethod.Post, Publish, content)).IsErrorAsync(500, "ERR_PUBSUB_CLOUD_EVENTS_SER");
    }

    [Fact]
    public async Task Message_PublishedWhileTheSubscriberIsAway_IsDeliveredWhenItIsBack()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var inbox = new Inbox();
        var app = await cluster.StartAsync("subscriber", inbox.Map("""[{"pubsubname":"pubsub","topic":"orders","route":"/orders"}]"""));
        using var dapr = await cluster.StartCallerAsync();

        await app.StopAsync();
        await (await dapr.SendAsync(HttpMethod.Post, Publish, Answers.Json("1"))).IsAsync(HttpStatusCode.NoContent);
        await app.UntilAwayAsync();
        await app.StartAsync();

        await inbox.UntilAsync(1);
    }

    [Theory]
    [InlineData(503, "")]
    [InlineData(404, "")]
    [InlineData(200, "{broken")]
    [InlineData(200, """[{"pubsubname":"pubsub","topic":"orders","routes":{"rules":[{"match":"no rule (","path":"/x"}]}}]""")]
    public async Task Messages_OfAnAppThatDoesNotSayWhatItWants_WaitUntilItDoes(int status, string answer)
    {
        await using var cluster = await TestCluster.OpenAsync();
        var (lives, received) = (0, new ConcurrentQueue<string>());
        var app = await cluster.StartAsync("subscriber", app =>
        {
            var isIll = ++lives == 2;
            app.MapGet("/dapr/subscribe", () => isIll ? Results.Text(answer, "application/json", statusCode: status) : Results.Text("""[{"pubsubname":"pubsub","topic":"orders","route":"/orders"}]""", "application/json"));
            app.MapPost("/orders", async (HttpContext context) => received.Enqueue(await new StreamReader(context.Request.Body).ReadToEndAsync(Stop)));
        });
        using var dapr = await cluster.StartCallerAsync();
        await app.StopAsync();
        await app.UntilAwayAsync();
        await (await dapr.SendAsync(HttpMethod.Post, Publish, Answers.Json("1"))).IsAsync(HttpStatusCode.NoContent);

        for (var life = 2; life <= 3; life++)
        {
            await app.StartAsync();
            await app.UntilReadyAsync();
            if (life == 2)
            {
                Assert.Empty(received);
                await app.StopAsync();
                await app.UntilAwayAsync();
            }
        }

        while (received.IsEmpty)
        {
            await Task.Delay(5, Stop);
        }
    }

    [Fact]
    public async Task Messages_OfASharedConsumer_StayWhenAnAppOfItsNameComesUp()
    {
        var components = TestCluster.Components.Replace("  type: pubsub.redis\n  version: v1\n  metadata:", "  type: pubsub.redis\n  version: v1\n  metadata:\n  - { name: consumerID, value: works }", StringComparison.Ordinal);
        await using var cluster = await TestCluster.OpenAsync(components);
        var inbox = new Inbox();
        var one = await cluster.StartAsync("one", inbox.Map("""[{"pubsubname":"pubsub","topic":"orders","route":"/orders"}]"""));
        await one.StopAsync();
        await one.UntilAwayAsync();
        await (await one.Client.SendAsync(HttpMethod.Post, Publish, Answers.Json("1"))).IsAsync(HttpStatusCode.NoContent);

        await cluster.StartAsync("works", new Inbox().Map("""[{"pubsubname":"pubsub","topic":"bills","route":"/bills"}]"""));
        await one.StartAsync();

        await inbox.UntilAsync(1);
    }

    [Fact]
    public async Task Messages_OfATopicThatAnAppNamesNoMore_AreGivenUp()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var (lives, inbox) = (0, new Inbox());
        const string Orders = """[{"pubsubname":"pubsub","topic":"orders","route":"/orders"}]""";
        var app = await cluster.StartAsync("subscriber", app => inbox.Map(++lives == 2 ? "[]" : Orders)(app));
        await app.StopAsync();
        await app.UntilAwayAsync();
        await (await app.Client.SendAsync(HttpMethod.Post, Publish, Answers.Json("1"))).IsAsync(HttpStatusCode.NoContent);
        await app.StartAsync();
        await app.UntilReadyAsync();
        await app.StopAsync();
        await app.UntilAwayAsync();
        await app.StartAsync();
        await app.UntilReadyAsync();

        await (await app.Client.SendAsync(HttpMethod.Post, Publish, Answers.Json("2"))).IsAsync(HttpStatusCode.NoContent);

        Assert.Equal("2", (await inbox.UntilAsync(1))[0].Event.GetProperty("data").GetRawText());
    }

    private static string? Text(JsonElement e, string name) => e.GetProperty(name).GetString();

    /// <summary>A subscriber that keeps what it gets.</summary>
    private sealed class Inbox
    {
        private readonly ConcurrentQueue<(string Path, string? ContentType, JsonElement Event)> _events = new();

        public Func<string, int, string> Answer { get; init; } = (_, _) => "";

        public Func<string, int> Status { get; init; } = _ => 200;

        public Action<WebApplication> Map(string? subscriptions) => app =>
        {
            if (subscriptions is not null)
            {
                app.MapGet("/dapr/subscribe", () => Results.Text(subscriptions, "application/json"));
            }

            app.MapPost("/{*path}", async (HttpContext context) =>
            {
                using var body = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: Stop);
                _events.Enqueue((context.Request.Path.Value!, context.Request.ContentType, body.RootElement.Clone()));
                return Results.Text(Answer(context.Request.Path.Value!, _events.Count), "application/json", statusCode: Status(context.Request.Path.Value!));
            });
        };

        public async Task<List<(string Path, string? ContentType, JsonElement Event)>> UntilAsync(int count)
        {
            while (_events.Count < count)
            {
                await Task.Delay(10, Stop);
            }

            await Task.Delay(100, Stop); // Whatever comes too much comes now.
            Assert.Equal(count, _events.Count);
            return [.. _events];
        }
    }
}
