using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Platform.Dapr;
using Platform.Dapr.Actors;

namespace Platform.ConformanceTests.Dapr;

/// <summary>Checks 14 to 17 of the contract, through the real client library and by hand.</summary>
public sealed class ActorTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Turns_OfOneActor_NeverOverlapAndLoseNothing()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var app = await StartAsync(cluster);
        var history = app.Services.GetRequiredService<TurnHistory>();
        var proxies = app.Services.GetRequiredService<ActorProxyFactory>();

        await Task.WhenAll(Enumerable.Range(0, 120).Select(i => Task.Run(() => proxies.CreateActorProxy("CounterActor", $"c{i % 3}").InvokeMethodAsync("Add", 1, TestJson.Default.Int32, TestJson.Default.Int32, Stop), Stop)));

        Assert.All(history.Turns.GroupBy(turn => turn.Id), turns =>
        {
            var ordered = turns.OrderBy(turn => turn.Begin).ToList();
            Assert.All(ordered.Zip(ordered.Skip(1)), pair => Assert.True(pair.First.End <= pair.Second.Begin, "two turns overlapped"));
        });
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal(40, await proxies.CreateActorProxy("CounterActor", $"c{i}").InvokeMethodAsync("Get", TestJson.Default.Int32, Stop));
        }
    }

    [Fact]
    public async Task Method_ThatThrows_ReachesTheCallerAndLeavesNoState()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var app = await StartAsync(cluster);
        var actor = app.Services.GetRequiredService<ActorProxyFactory>().CreateActorProxy("CounterActor", "c");
        await actor.InvokeMethodAsync("Add", 5, TestJson.Default.Int32, TestJson.Default.Int32, Stop);

        var failure = await Assert.ThrowsAsync<DaprActorMethodException>(() => actor.InvokeMethodAsync("AddAndFail", 7, TestJson.Default.Int32, Stop));

        Assert.Equal(("too-much", "7 is too much"), (failure.ErrorCode, failure.Message));
        Assert.Equal(5, await actor.InvokeMethodAsync("Get", TestJson.Default.Int32, Stop));
    }

    [Fact]
    public async Task Call_OfUnknownMethodOrType_IsDaprsError()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var app = await StartAsync(cluster);
        var proxies = app.Services.GetRequiredService<ActorProxyFactory>();

        var method = await Assert.ThrowsAsync<DaprActorException>(() => proxies.CreateActorProxy("CounterActor", "c").InvokeMethodAsync("Nothing", Stop));
        Assert.Equal("ERR_ACTOR_INVOKE_METHOD", method.ErrorCode);

        await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/Nobody/1/method/x")).IsErrorAsync(404, "ERR_ACTOR_NO_ADDRESS");
        await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/CounterActor/a%2Fb/method/Get")).IsErrorAsync(400, "ERR_BAD_REQUEST");
        await (await app.Client.SendAsync(HttpMethod.Delete, "v1.0/actors/CounterActor/a")).IsErrorAsync(404, "ERR_DIRECT_INVOKE");
    }

    [Fact]
    public async Task State_OfAnActorThatIsNotActive_IsReadAndNotWritten()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var app = await StartAsync(cluster);

        await (await app.Client.SendAsync(HttpMethod.Get, "v1.0/actors/CounterActor/never/state/count")).IsAsync(HttpStatusCode.NoContent, "");
        await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/CounterActor/never/state", Answers.Json("[]"))).IsErrorAsync(400, "ERR_ACTOR_INSTANCE_MISSING");
        await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/CounterActor/c/method/Get")).IsAsync(HttpStatusCode.OK, "0");
        await (await app.Client.SendAsync(HttpMethod.Get, "v1.0/actors/CounterActor/c/state/count")).IsAsync(HttpStatusCode.NoContent, "");
        await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/CounterActor/c/state", Answers.Json("""[{"operation":"upsert","request":{"key":"count","value":9}}]"""))).IsAsync(HttpStatusCode.NoContent);
        await (await app.Client.SendAsync(HttpMethod.Get, "v1.0/actors/CounterActor/c/state/count")).IsAsync(HttpStatusCode.OK, "9");
        await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/CounterActor/c/state", Answers.Json("""[{"operation":"upsert","request":{"key":"count","value":9,"metadata":{"ttlInSeconds":"5"}}}]"""))).IsErrorAsync(500, "ERR_ACTOR_STATE_TRANSACTION_SAVE");
    }

    [Fact]
    public async Task Reminder_FiresSurvivesDeactivationAndEnds()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var app = await StartAsync(cluster, options => options.ActorIdleTimeout = TimeSpan.FromMilliseconds(300));
        var history = app.Services.GetRequiredService<TurnHistory>();
        const string Reminder = "v1.0/actors/CounterActor/r/reminders/tick";

        await (await app.Client.SendAsync(HttpMethod.Post, Reminder, Answers.Json("""{"dueTime":"1500ms","period":"1s","data":"aGVsbG8="}"""))).IsAsync(HttpStatusCode.NoContent);
        var found = await (await app.Client.SendAsync(HttpMethod.Get, Reminder)).JsonAsync();
        Assert.Equal("@every 1s", found.GetProperty("period").GetString());
        Assert.Equal("aGVsbG8=", found.GetProperty("data").GetString());

        await history.UntilAsync(turns => turns.Count(turn => turn.Name == "remind:tick:hello") >= 2 && turns.Any(turn => turn.Name == "deactivated"));

        await (await app.Client.SendAsync(HttpMethod.Delete, Reminder)).IsAsync(HttpStatusCode.NoContent);
        await (await app.Client.SendAsync(HttpMethod.Delete, Reminder)).IsAsync(HttpStatusCode.NoContent);
        await (await app.Client.SendAsync(HttpMethod.Get, Reminder)).IsErrorAsync(404, "ERR_ACTOR_REMINDER_NOT_FOUND");
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""{"dueTime":"1s","ttl":"5s"}""")]
    [InlineData("""{"dueTime":"1s","period":"P1D"}""")]
    [InlineData("""{"dueTime":"soon"}""")]
    public async Task Reminder_ThatTheSchedulerWouldRefuse_IsRefused(string body)
    {
        await using var cluster = await TestCluster.OpenAsync();
        var app = await StartAsync(cluster);

        await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/CounterActor/r/reminders/x", Answers.Json(body))).IsErrorAsync(500, "ERR_ACTOR_REMINDER_CREATE");
        await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/Other/r/reminders/x", Answers.Json("""{"dueTime":"1s"}"""))).IsErrorAsync(403, "ERR_ACTOR_REMINDER_NON_HOSTED");
    }

    [Fact]
    public async Task Reminder_ThatFails_IsTriedThreeTimesMore()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var app = await StartAsync(cluster);
        var history = app.Services.GetRequiredService<TurnHistory>();

        await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/CounterActor/r/reminders/fail", Answers.Json("""{"dueTime":"0s","failurePolicy":{"constant":{"interval":"10ms","maxRetries":3}}}"""))).IsAsync(HttpStatusCode.NoContent);

        await history.UntilAsync(turns => turns.Count(turn => turn.Name == "remind:fail:") == 4);
        while ((await app.Client.SendAsync(HttpMethod.Get, "v1.0/actors/CounterActor/r/reminders/fail")).StatusCode == HttpStatusCode.OK)
        {
            await Task.Delay(10, Stop);
        }

        Assert.Equal(4, history.Turns.Count(turn => turn.Name == "remind:fail:"));
    }

    [Fact]
    public async Task Timer_FiresInTurnsOfItsActorAndStops()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var app = await StartAsync(cluster);
        var history = app.Services.GetRequiredService<TurnHistory>();
        var actor = app.Services.GetRequiredService<ActorProxyFactory>().CreateActorProxy("CounterActor", "t");

        await actor.InvokeMethodAsync("StartTimer", Stop);
        await history.UntilAsync(turns => turns.Count(turn => turn.Name == "timer:ping") >= 3);
        await actor.InvokeMethodAsync("StopTimer", Stop);
        var count = history.Turns.Count(turn => turn.Name == "timer:ping");
        await Task.Delay(200, Stop);

        Assert.Equal(count, history.Turns.Count(turn => turn.Name == "timer:ping"));
        await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/Other/t/timers/x", Answers.Json("""{"dueTime":"1s","callback":"Ping"}"""))).IsErrorAsync(500, "ERR_ACTOR_TIMER_CREATE");
        await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/CounterActor/t/timers/x", Answers.Json("""{"dueTime":"soon"}"""))).IsErrorAsync(500, "ERR_ACTOR_TIMER_CREATE");
    }

    [Fact]
    public async Task Reentrancy_ComesBackOnlyWithTheHeaderAndWithinTheDepth()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var app = await StartAsync(cluster, options =>
        {
            options.ReentrancyEnabled = true;
            options.ReentrancyMaxStackDepth = 3;
        });
        var actor = app.Services.GetRequiredService<ActorProxyFactory>().CreateActorProxy("CounterActor", "loop");

        Assert.Equal(3, await actor.InvokeMethodAsync("CallSelf", 3, TestJson.Default.Int32, TestJson.Default.Int32, Stop));
        var failure = await Assert.ThrowsAsync<DaprActorMethodException>(() => actor.InvokeMethodAsync("CallSelf", 4, TestJson.Default.Int32, TestJson.Default.Int32, Stop));
        Assert.Equal("ERR_ACTOR_STACK_DEPTH", failure.ErrorCode);
    }

    [Theory]
    [InlineData("Add", 50)]
    [InlineData("AddAndFail", 0)]
    public async Task Reentrancy_InnerCall_HasChangesOfItsOwn(string inner, int expected)
    {
        await using var cluster = await TestCluster.OpenAsync();
        var app = await StartAsync(cluster, options => options.ReentrancyEnabled = true);
        var actor = app.Services.GetRequiredService<ActorProxyFactory>().CreateActorProxy("CounterActor", "around");

        Assert.Equal(expected, await actor.InvokeMethodAsync("AddAround", inner, TestJson.Default.String, TestJson.Default.Int32, Stop));

        await (await app.Client.SendAsync(HttpMethod.Get, "v1.0/actors/CounterActor/around/state/outer")).IsAsync(HttpStatusCode.OK, "1");
        Assert.Equal(expected / 10, await actor.InvokeMethodAsync("Get", TestJson.Default.Int32, Stop));
    }

    [Fact]
    public async Task Host_KilledAndBack_KeepsStateAndReminders()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var app = await StartAsync(cluster);
        await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/CounterActor/c/method/Add", Answers.Json("4"));
        await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/CounterActor/c/reminders/later", Answers.Json("""{"dueTime":"600ms"}"""));

        await app.StopAsync();
        await app.UntilAwayAsync();
        await Task.Delay(800, Stop); // The reminder is due while nobody can take it.
        await app.StartAsync();
        await app.UntilReadyAsync();

        await app.Services.GetRequiredService<TurnHistory>().UntilAsync(turns => turns.Any(turn => turn.Name == "remind:later:"));
        await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/CounterActor/c/method/Get")).IsAsync(HttpStatusCode.OK, "4");
    }

    [Fact]
    public async Task Cluster_ReopenedOnItsFolder_HasStateAndReminders()
    {
        var folder = Directory.CreateTempSubdirectory("sidecar-").FullName;
        try
        {
            await using (var first = await TestCluster.OpenAsync(folder: folder))
            {
                var app = await StartAsync(first);
                await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/CounterActor/c/method/Add", Answers.Json("4"));
                await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/CounterActor/c/reminders/later", Answers.Json("""{"dueTime":"300ms"}"""));
            }

            await using var second = await TestCluster.OpenAsync(folder: folder);
            var again = await StartAsync(second);
            await again.Services.GetRequiredService<TurnHistory>().UntilAsync(turns => turns.Any(turn => turn.Name == "remind:later:"));
            await (await again.Client.SendAsync(HttpMethod.Post, "v1.0/actors/CounterActor/c/method/Get")).IsAsync(HttpStatusCode.OK, "4");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Task<TestApp> StartAsync(TestCluster cluster, Action<ActorOptions>? configure = null, string appId = "actors") => cluster.StartAsync(
        appId,
        app => app.MapActorsHandlers(),
        services =>
        {
            services.AddSingleton<TurnHistory>();
            services.AddActors(options =>
            {
                options.RegisterActor<CounterActor>();
                options.JsonContext = TestJson.Default;
                configure?.Invoke(options);
            });
        });
}
