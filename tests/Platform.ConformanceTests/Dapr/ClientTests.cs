using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Platform.Dapr;
using Platform.Dapr.Actors;
using Platform.Local;

namespace Platform.ConformanceTests.Dapr;

/// <summary>The client library's state, typed proxies, failures, tokens and trace context, each over a real sidecar.</summary>
public sealed class ClientTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task State_InBulkWithETagsAndTimeToLive_IsWhatTheStoreSays()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var state = (await cluster.StartAsync("app")).Services.GetRequiredService<DaprStateClient>();

        await state.SaveBulkStateAsync("statestore", [new SaveStateItem<int>("a", 1), new SaveStateItem<int>("b", 2, Metadata: StateMetadata.TimeToLive(TimeSpan.FromHours(1)))], TestJson.Default.Int32, Stop);
        var (value, etag) = await state.GetStateAndETagAsync("statestore", "a", TestJson.Default.Int32, StateConsistency.Strong, cancellationToken: Stop);

        Assert.Equal(1, value);
        Assert.True(await state.TrySaveStateAsync("statestore", "a", 3, etag!, TestJson.Default.Int32, cancellationToken: Stop));
        Assert.False(await state.TrySaveStateAsync("statestore", "a", 4, etag!, TestJson.Default.Int32, cancellationToken: Stop));
        var stale = await Assert.ThrowsAsync<DaprStateException>(() => state.SaveBulkStateAsync("statestore", [new SaveStateItem<int>("a", 5, etag), new SaveStateItem<int>("c", 6)], TestJson.Default.Int32, Stop));
        Assert.Equal((HttpStatusCode.Conflict, "ERR_STATE_SAVE"), (stale.StatusCode, stale.ErrorCode));
        var first = await Assert.ThrowsAsync<DaprStateException>(() => state.SaveStateAsync("statestore", "a", 7, TestJson.Default.Int32, StateConcurrency.FirstWrite, cancellationToken: Stop));
        Assert.Equal(HttpStatusCode.Conflict, first.StatusCode);
        var items = await state.GetBulkStateAsync("statestore", ["a", "b", "c", "nobody"], TestJson.Default.Int32, cancellationToken: Stop);
        Assert.Equal([("a", 3), ("b", 2), ("c", 6), ("nobody", 0)], items.OrderBy(item => item.Key, StringComparer.Ordinal).Select(item => (item.Key, item.Value)));
        Assert.Null(items.Single(item => item.Key == "nobody").ETag);
        await state.DeleteBulkStateAsync("statestore", ["a", "b", "nobody"], Stop);
        Assert.Null((await state.GetStateAndETagAsync("statestore", "b", TestJson.Default.Int32, cancellationToken: Stop)).ETag);
    }

    [Fact]
    public async Task ActorProxy_WithTheActorsInterface_CallsItsMethods()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var app = await StartActorsAsync(cluster);
        var counter = app.Services.GetRequiredService<ActorProxyFactory>().CreateActorProxy<ICounterActor>(new ActorId("typed"), "CounterActor", TestJson.Default);

        Assert.Equal(3, await counter.Add(3));
        Assert.Equal(3, await counter.Get());
        var failure = await Assert.ThrowsAsync<DaprActorMethodException>(() => counter.AddAndFail(4));
        Assert.Equal(("too-much", "CounterActor", "typed"), (failure.ErrorCode, failure.ActorType, failure.ActorId));
        Assert.Equal(3, await counter.Get());
    }

    [Fact]
    public void ActorProxy_OfAnInterfaceThatIsNone_SaysWhichMethod()
    {
        var e = Assert.Throws<InvalidOperationException>(() => ActorProxy.Create<ITwoArguments>(new ActorId("x"), "Two"));

        Assert.Contains("ITwoArguments.Add", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Failures_OfEveryBlock_CarryCodeAppAndMethod()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var services = (await cluster.StartAsync("app", app => app.MapGet("/no", () => Results.StatusCode(418)))).Services;

        var nobody = await Assert.ThrowsAsync<DaprInvocationException>(() => services.GetRequiredService<DaprInvoker>().InvokeMethodAsync(HttpMethod.Get, "nobody", "x/y", Stop));
        var own = await Assert.ThrowsAsync<DaprInvocationException>(() => services.GetRequiredService<DaprInvoker>().InvokeMethodAsync(HttpMethod.Get, "app", "no", Stop));
        var store = await Assert.ThrowsAsync<DaprStateException>(() => services.GetRequiredService<DaprStateClient>().GetStateAsync("nowhere", "k", TestJson.Default.Int32, cancellationToken: Stop));
        var actor = await Assert.ThrowsAsync<DaprActorException>(() => services.GetRequiredService<ActorProxyFactory>().CreateActorProxy("Nobody", "1").InvokeMethodAsync("Do", Stop));

        Assert.Equal(("ERR_DIRECT_INVOKE", "nobody", "x/y", true), (nobody.ErrorCode, nobody.AppId, nobody.Method, nobody.IsTransport));
        Assert.Equal((null, "app", "no", (HttpStatusCode)418, false), (own.ErrorCode, own.AppId, own.Method, own.StatusCode, own.IsTransport));
        Assert.Equal(("ERR_STATE_STORE_NOT_FOUND", HttpStatusCode.BadRequest), (store.ErrorCode, store.StatusCode));
        Assert.Equal(("ERR_ACTOR_NO_ADDRESS", "Nobody", "1", "method/Do"), (actor.ErrorCode, actor.ActorType, actor.ActorId, actor.Method));
        var publish = await Assert.ThrowsAsync<DaprPublishException>(() => services.GetRequiredService<DaprPublisher>().PublishEventAsync("nowhere", "a/b", 1, TestJson.Default.Int32, cancellationToken: Stop));
        Assert.Equal(("ERR_PUBSUB_NOT_FOUND", HttpStatusCode.NotFound, "a/b"), (publish.ErrorCode, publish.StatusCode, publish.Method));
    }

    [Fact]
    public async Task Actor_ChangesOfOneTurn_AreOneTransactionAndThoseOfAFailedTurnNone()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var requests = new ConcurrentQueue<string>();
        var between = LoopbackPort.AnyFree();
        var app = await cluster.StartAsync(
            "actors",
            app => app.MapActorsHandlers(),
            services =>
            {
                services.AddSingleton(new DaprOptions { HttpEndpoint = new Uri($"http://127.0.0.1:{between}/") });
                services.AddActors(options =>
                {
                    options.RegisterActor<KeeperActor>();
                    options.JsonContext = TestJson.Default;
                });
            });
        using var onward = TestCluster.ClientOf(app.Sidecar);
        await using var spy = new TestApp(app.Sidecar, between, spy => spy.Run(async context =>
        {
            var body = await new StreamReader(context.Request.Body).ReadToEndAsync(Stop);
            requests.Enqueue($"{context.Request.Method} {context.Request.Path.Value![(context.Request.Path.Value!.IndexOf("state", StringComparison.Ordinal))..]} {body}".Trim());
            using var answer = await onward.SendAsync(new HttpMethod(context.Request.Method), context.Request.Path.Value![1..], body.Length > 0 ? Answers.Json(body) : null);
            context.Response.StatusCode = (int)answer.StatusCode;
            if (answer.StatusCode != HttpStatusCode.NoContent)
            {
                await context.Response.WriteAsync(await answer.TextAsync(), Stop);
            }
        }), null);
        await spy.StartAsync();
        async Task<string> CallAsync(int value) => await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/KeeperActor/1/method/Keep", Answers.Json(value.ToString()))).TextAsync();

        Assert.Equal("1", await CallAsync(1));
        Assert.Contains("asked to", await CallAsync(-1), StringComparison.Ordinal);
        Assert.Equal("3", await CallAsync(2));

        // What was read or written is known from then on; a failed turn leaves nothing, not even that.
        Assert.Equal(
            [
                "GET state/a", "GET state/c", """POST state [{"operation":"upsert","request":{"key":"a","value":1}},{"operation":"upsert","request":{"key":"b","value":1}}]""",
                "GET state/a", "GET state/c", """POST state [{"operation":"upsert","request":{"key":"a","value":3}},{"operation":"upsert","request":{"key":"b","value":2}}]""",
            ],
            requests);
    }

    [Fact]
    public async Task ActorHandlers_SayWhatTheAppHostsAndThatItLives()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var app = await cluster.StartAsync(
            "actors",
            app => app.MapActorsHandlers(),
            services =>
            {
                services.AddActors(options =>
                {
                    options.RegisterActor<KeeperActor>("Keeper");
                    options.ActorIdleTimeout = TimeSpan.FromMinutes(5);
                    options.DrainOngoingCallTimeout = TimeSpan.FromSeconds(7);
                    options.DrainRebalancedActors = false;
                    options.ReentrancyEnabled = true;
                    options.ReentrancyMaxStackDepth = 9;
                    options.JsonContext = TestJson.Default;
                });
            },
            options => options with { AppApiToken = "secret" });
        using var direct = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{app.Port}/") };

        await (await direct.SendAsync(HttpMethod.Get, "healthz")).IsAsync(HttpStatusCode.OK);
        await (await direct.SendAsync(HttpMethod.Get, "dapr/config")).IsAsync(HttpStatusCode.Unauthorized);
        await (await direct.SendAsync(HttpMethod.Put, "actors/Keeper/1/method/Keep", Answers.Json("1"))).IsAsync(HttpStatusCode.Unauthorized);
        await (await direct.SendAsync(HttpMethod.Delete, "actors/Keeper/1")).IsAsync(HttpStatusCode.Unauthorized);
        await (await direct.SendAsync(HttpMethod.Get, "dapr/config", null, ("dapr-api-token", "secret"))).IsAsync(
            HttpStatusCode.OK,
            """{"entities":["Keeper"],"actorIdleTimeout":"300s","drainOngoingCallTimeout":"7s","drainRebalancedActors":false,"reentrancy":{"enabled":true,"maxStackDepth":9}}""");
    }

    [Fact]
    public async Task Tokens_BothWays_AreShownByThoseWhoHaveThem()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var app = await cluster.StartAsync(
            "app",
            app => app.MapGet("/token", (HttpContext context) => context.Request.Headers["dapr-api-token"].ToString()),
            change: options => options with { ApiToken = "to-sidecar", AppApiToken = "to-app" });
        var invoker = app.Services.GetRequiredService<DaprInvoker>();

        using var answer = await invoker.SendAsync(invoker.CreateInvokeMethodRequest(HttpMethod.Get, "app", "token"), cancellationToken: Stop);

        await answer.IsAsync(HttpStatusCode.OK, "to-app");
        await (await app.Client.SendAsync(HttpMethod.Get, "v1.0/invoke/app/method/token")).IsAsync(HttpStatusCode.Unauthorized, "invalid api token\n");
        await (await app.Client.SendAsync(HttpMethod.Get, "v1.0/metadata", null, ("dapr-api-token", "to-app"))).IsAsync(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task TraceContext_GoesThroughEveryHop()
    {
        using var listener = new ActivityListener { ShouldListenTo = source => source.Name.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal), Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData };
        ActivitySource.AddActivityListener(listener);
        await using var cluster = await TestCluster.OpenAsync();
        await cluster.StartAsync("last", app => app.MapGet("/trace", (HttpContext context) => context.Request.Headers.TraceParent.ToString()));
        var first = await cluster.StartAsync("first", app => app.MapGet("/trace", async (HttpContext context, DaprInvoker dapr) =>
        {
            using var onward = await dapr.SendAsync(dapr.CreateInvokeMethodRequest(HttpMethod.Get, "last", "trace"), cancellationToken: Stop);
            return $"{context.Request.Headers.TraceParent} {await onward.TextAsync()}";
        }));
        const string Trace = "4bf92f3577b34da6a3ce929d0e0e4736";

        var answer = await first.Client.SendAsync(HttpMethod.Get, "v1.0/invoke/first/method/trace", null, ("traceparent", $"00-{Trace}-00f067aa0ba902b7-01"), ("tracestate", "vendor=1"));

        var hops = (await answer.TextAsync()).Split(' ');
        Assert.All(hops, hop => Assert.StartsWith($"00-{Trace}-", hop, StringComparison.Ordinal));
        Assert.Equal(2, hops.Select(hop => hop.Split('-')[2]).Where(span => span != "00f067aa0ba902b7").Distinct().Count());

    }

    private static Task<TestApp> StartActorsAsync(TestCluster cluster) => cluster.StartAsync(
        "actors",
        app => app.MapActorsHandlers(),
        services =>
        {
            services.AddSingleton<TurnHistory>();
            services.AddActors(options =>
            {
                options.RegisterActor<CounterActor>();
                options.JsonContext = TestJson.Default;
            });
        });

    private interface ITwoArguments : IActor
    {
        Task Add(int a, int b);
    }

    private interface IKeeper : IActor
    {
        Task<int> Keep(int value);
    }

    /// <summary>Changes two keys in a turn and asks for a third.</summary>
    private sealed class KeeperActor(ActorHost host) : Actor(host), IKeeper
    {
        public async Task<int> Keep(int value)
        {
            var before = await StateManager.TryGetStateAsync<int>("a");
            await StateManager.SetStateAsync("a", before.Value + Math.Abs(value));
            await StateManager.SetStateAsync("b", value);
            await StateManager.TryRemoveStateAsync("c");
            return value > 0 ? before.Value + value : throw new InvalidOperationException("asked to");
        }
    }
}
