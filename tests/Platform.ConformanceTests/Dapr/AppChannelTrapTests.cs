using System.Net;

namespace Platform.ConformanceTests.Dapr;

/// <summary>Traps of transport, state and the app channel (sections 1 to 4 of the contract).</summary>
public sealed class AppChannelTrapTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("v1.0//state///statestore/k")]
    [InlineData("v1.0/state/statestore/k/")]
    public async Task Path_DoubledOrTrailingSlashes_DoNotCount(string path)
    {
        await using var cluster = await TestCluster.OpenAsync();
        using var dapr = await cluster.StartCallerAsync();
        await dapr.SendAsync(HttpMethod.Post, "v1.0/state/statestore", Answers.Json("""[{"key":"k","value":"text"}]"""));

        var answer = await dapr.SendAsync(HttpMethod.Get, path);

        await answer.IsAsync(HttpStatusCode.OK, "\"text\"");
        Assert.Equal("application/json", answer.Content.Headers.ContentType?.MediaType);
    }

    [Theory]
    [InlineData("POST", "v1.0/state/statestore", "[]", 204)]
    [InlineData("PUT", "v1.0/state/statestore", "[]", 204)]
    [InlineData("POST", "v1.0/state/statestore/transaction", """{"operations":[],"metadata":null}""", 204)]
    [InlineData("POST", "v1.0/state/statestore", """[{"key":"k","value":1,"metadata":{"ttlInSeconds":5}}]""", 400)]
    [InlineData("POST", "v1.0/state/statestore", """[{"KEY":"k","Value":1,"Options":{"Concurrency":"last-write"},"ETag":"stale"}]""", 204)]
    [InlineData("POST", "v1.0/state/statestore", """[{"key":"k","value":1,"etag":5}]""", 400)]
    [InlineData("DELETE", "v1.0/state/statestore/nobody", null, 204)]
    [InlineData("PATCH", "v1.0/state/statestore", "[]", 404)]
    [InlineData("GET", "v1.0/healthz?appid=another", null, 500)]
    [InlineData("GET", "v1.0/healthz?appid=caller", null, 204)]
    public async Task Request_ThatLooksOdd_IsAnsweredAsDaprdDoes(string method, string path, string? body, int status)
    {
        await using var cluster = await TestCluster.OpenAsync();
        using var dapr = await cluster.StartCallerAsync();

        var answer = await dapr.SendAsync(HttpMethod.Parse(method), path, body is null ? null : Answers.Json(body));

        Assert.Equal(status, (int)answer.StatusCode);
    }

    [Fact]
    public async Task AppToken_IsOnEveryCallToTheApp()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var recording = new RecordingApp { Config = """{"entities":["T"],"actorIdleTimeout":"1s"}""", Subscribe = """[{"pubsubname":"pubsub","topic":"t","route":"/t"}]""" };
        var app = await cluster.StartAsync("app", recording.Map, change: options => options with { AppApiToken = "to-app", EnableAppHealthCheck = true });

        await app.Client.SendAsync(HttpMethod.Get, "v1.0/invoke/app/method/x", null, ("dapr-api-token", "smuggled"));
        await app.Client.SendAsync(HttpMethod.Post, "v1.0/publish/pubsub/t", Answers.Json("1"));
        await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/method/m");
        await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/reminders/r", Answers.Json("""{"dueTime":"0s"}"""));

        await recording.UntilAsync("/t", 1);
        await recording.UntilAsync("/actors/T/1/method/remind/r", 1);
        await recording.UntilAsync("/actors/T/1", 1); // Idle: deactivated.
        Assert.Superset(new HashSet<string> { "/healthz", "/dapr/config", "/dapr/subscribe", "/x", "/t", "/actors/T/1/method/m", "/actors/T/1/method/remind/r", "/actors/T/1" }, recording.All.Select(request => request.Path).ToHashSet());
        Assert.All(recording.All, request => Assert.Equal("to-app", request.Header("dapr-api-token")));
    }

    [Fact]
    public async Task App_ThatFailsItsHealthChecks_GetsNothingUntilItIsWellAgain()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var isHealthy = true;
        var recording = new RecordingApp
        {
            Subscribe = """[{"pubsubname":"pubsub","topic":"t","route":"/t"}]""",
            Answer = (request, _) => (request.Path == "/health:ready" && !Volatile.Read(ref isHealthy) ? 503 : 200, ""),
        };
        var app = await cluster.StartAsync("app", recording.Map, change: options => options with { EnableAppHealthCheck = true, AppHealthCheckPath = "/health:ready", AppHealthProbeInterval = TimeSpan.FromMilliseconds(50), AppHealthProbeTimeout = TimeSpan.FromSeconds(10), AppHealthThreshold = 2 });
        using var dapr = await cluster.StartCallerAsync();

        Volatile.Write(ref isHealthy, false);
        await app.UntilAwayAsync();
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/app/method/x")).IsErrorAsync(500, "ERR_DIRECT_INVOKE");
        await (await dapr.SendAsync(HttpMethod.Post, "v1.0/publish/pubsub/t", Answers.Json("1"))).IsAsync(HttpStatusCode.NoContent);
        Assert.Empty(recording.Of("/t"));
        Volatile.Write(ref isHealthy, true);

        await recording.UntilAsync("/t", 1);
        await app.UntilReadyAsync();
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/app/method/x")).IsAsync(HttpStatusCode.OK);
        Assert.Equal(2, recording.Of("/dapr/subscribe").Count);
    }

    [Fact]
    public async Task MaxConcurrency_HoldsForAllCallsToTheApp()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var (running, most) = (0, 0);
        var gate = new Lock();
        await cluster.StartAsync(
            "app",
            app => Microsoft.AspNetCore.Builder.RunExtensions.Run(app, async context =>
            {
                lock (gate)
                {
                    most = Math.Max(most, ++running);
                }

                await Task.Yield();
                lock (gate)
                {
                    running--;
                }
            }),
            change: options => options with { AppMaxConcurrency = 2 });
        using var dapr = await cluster.StartCallerAsync();

        await Task.WhenAll(Enumerable.Range(0, 50).Select(async _ => await (await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/app/method/x")).IsAsync(HttpStatusCode.OK)));

        Assert.InRange(most, 1, 2);
    }

    [Fact]
    public async Task Redirect_OfTheApp_IsNotFollowed()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var recording = new RecordingApp { Answer = (_, _) => (302, ""), AddHeaders = headers => headers.Location = "/elsewhere" };
        await cluster.StartAsync("app", recording.Map);
        using var dapr = await cluster.StartCallerAsync();

        var answer = await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/app/method/x");

        Assert.Equal((HttpStatusCode.Redirect, "/elsewhere"), (answer.StatusCode, answer.Headers.Location?.ToString()));
        Assert.Empty(recording.Of("/elsewhere"));
    }
}
