using System.Net;

namespace Platform.ConformanceTests.Dapr;

/// <summary>Traps of actors on both sides of the sidecar (sections 8 and 9 of the contract).</summary>
public sealed class ActorTrapTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("GET")]
    [InlineData("POST")]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    public async Task Call_OfAnyVerb_ReachesTheAppAsPut(string verb)
    {
        var (cluster, app, recording) = await StartAsync((_, _) => (200, "\"done\""));
        await using var _ = cluster;

        await (await app.Client.SendAsync(HttpMethod.Parse(verb), "v1.0/actors/T/1/method/m?q=1", verb == "GET" ? null : Answers.Json("[1]"), ("x-own", "mine"))).IsAsync(HttpStatusCode.OK, "\"done\"");

        var call = Assert.Single(recording.Of("/actors/T/1/method/m"));
        Assert.Equal(("PUT", "mine", "true"), (call.Method, call.Header("x-own"), call.Header("Dapr-API-Call")));
        Assert.Equal(verb == "GET" ? "" : "[1]", call.Body);
    }

    [Theory]
    [InlineData(204, "")]
    [InlineData(201, "\"x\"")]
    [InlineData(302, "")]
    [InlineData(404, "")]
    [InlineData(500, "\"x\"")]
    public async Task Answer_OtherThan200_IsAnErrorForTheCaller(int status, string body)
    {
        var (cluster, app, _) = await StartAsync((_, _) => (status, body));
        await using var _1 = cluster;

        var answer = await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/method/m");

        Assert.Contains(status == 404 ? "actor method not found: actors/T/1/method/m" : $"({status}) {body.Replace("\"", "\\u0022", StringComparison.Ordinal)}", await answer.TextAsync(), StringComparison.Ordinal);
        await answer.IsErrorAsync(500, "ERR_ACTOR_INVOKE_METHOD");
    }

    [Fact]
    public async Task Answer_WithTheErrorHeader_IsHandedOn()
    {
        var (cluster, app, _) = await StartAsync((_, _) => (200, "{\"own\":\"error\"}"), headers => headers["X-DaprErrorResponseHeader"] = "true");
        await using var _1 = cluster;

        var answer = await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/method/m");

        await answer.IsAsync(HttpStatusCode.OK, "{\"own\":\"error\"}");
        Assert.Equal("true", Assert.Single(answer.Headers.GetValues("X-DaprErrorResponseHeader")));
    }

    [Fact]
    public async Task Timer_WithoutADueTime_FiresAtOnceWithWhatWasRegistered()
    {
        var (cluster, app, recording) = await StartAsync();
        await using var _ = cluster;
        await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/method/activate");

        await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/timers/t", Answers.Json("""{"callback":"tick","data":{"a":1},"period":"1h"}"""))).IsAsync(HttpStatusCode.NoContent);

        var body = (await recording.UntilAsync("/actors/T/1/method/timer/t", 1))[0].Json;
        Assert.Equal(("tick", """{"a":1}""", "", "1h"), (body.GetProperty("callback").GetString(), body.GetProperty("data").GetRawText(), body.GetProperty("dueTime").GetString(), body.GetProperty("period").GetString()));
        await (await app.Client.SendAsync(HttpMethod.Get, "v1.0/actors/T/1/timers/t")).IsErrorAsync(404, "ERR_DIRECT_INVOKE");
        await (await app.Client.SendAsync(HttpMethod.Delete, "v1.0/actors/T/1/timers/t")).IsAsync(HttpStatusCode.NoContent);
        await (await app.Client.SendAsync(HttpMethod.Delete, "v1.0/actors/T/1/timers/t")).IsAsync(HttpStatusCode.NoContent);
    }

    [Fact]
    public async Task Timer_WithRepeats_FiresThatOftenEvenIfItsCallbacksFail()
    {
        var (cluster, app, recording) = await StartAsync((request, _) => (request.Path.Contains("/timer/", StringComparison.Ordinal) ? 500 : 200, ""));
        await using var _ = cluster;
        await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/method/activate");

        await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/timers/three", Answers.Json("""{"callback":"tick","dueTime":"0s","period":"R3/10ms"}"""));
        await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/timers/many", Answers.Json("""{"callback":"tick","dueTime":"10ms","period":"10ms"}"""));

        await recording.UntilAsync("/actors/T/1/method/timer/three", 3);
        await recording.UntilAsync("/actors/T/1/method/timer/many", recording.Of("/actors/T/1/method/timer/many").Count + 10);
        Assert.Equal(3, recording.Of("/actors/T/1/method/timer/three").Count);
    }

    [Fact]
    public async Task Reminder_ArrivesWithEmptyTimesAndItsDataAsTheyWere()
    {
        var (cluster, app, recording) = await StartAsync();
        await using var _ = cluster;

        await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/reminders/r", Answers.Json("""{"dueTime":"10ms","data":{"b":1,"a":[1.50]}}"""));
        await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/reminders/plain", Answers.Json("""{"dueTime":"PT0S"}"""));

        var body = (await recording.UntilAsync("/actors/T/1/method/remind/r", 1))[0].Json;
        Assert.Equal(("", "", """{"b":1,"a":[1.50]}"""), (body.GetProperty("dueTime").GetString(), body.GetProperty("period").GetString(), body.GetProperty("data").GetRawText()));
        Assert.False((await recording.UntilAsync("/actors/T/1/method/remind/plain", 1))[0].Json.TryGetProperty("data", out var _1));
    }

    [Fact]
    public async Task Reminder_WithoutADueTime_IsDueAfterItsFirstPeriod()
    {
        var (cluster, app, recording) = await StartAsync();
        await using var _ = cluster;

        await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/reminders/later", Answers.Json("""{"period":"1h"}"""));
        await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/reminders/now", Answers.Json("""{"dueTime":"0s","period":"R2/20ms"}"""));

        await recording.UntilAsync("/actors/T/1/method/remind/now", 2);
        Assert.Empty(recording.Of("/actors/T/1/method/remind/later"));
        await UntilGoneAsync(app, "now");
    }

    [Fact]
    public async Task Reminder_ThatTheAppCancels_FiresNoMore()
    {
        var (cluster, app, recording) = await StartAsync(headers: headers => headers["X-DaprReminderCancel"] = "true");
        await using var _ = cluster;

        await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/reminders/r", Answers.Json("""{"dueTime":"0s","period":"10ms"}"""));

        await UntilGoneAsync(app, "r");
        Assert.Single(recording.Of("/actors/T/1/method/remind/r"));
    }

    [Theory]
    [InlineData(404, "true")]
    [InlineData(200, "false")]
    public async Task Reminder_ThatTheAppCancelsWithoutSuccessOrSaysNoTo_GoesOn(int status, string cancel)
    {
        var (cluster, app, recording) = await StartAsync((_, _) => (status, ""), headers => headers["X-DaprReminderCancel"] = cancel);
        await using var _ = cluster;

        await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/reminders/r", Answers.Json("""{"dueTime":"0s","period":"10ms","failure_policy":{"drop":{}}}"""));

        await recording.UntilAsync("/actors/T/1/method/remind/r", 3);
    }

    [Fact]
    public async Task Reminder_ThatExistsAndMustNot_Is409()
    {
        var (cluster, app, _) = await StartAsync();
        await using var _1 = cluster;
        const string Reminder = "v1.0/actors/T/1/reminders/r";

        await (await app.Client.SendAsync(HttpMethod.Put, Reminder, Answers.Json("""{"dueTime":"1h","overwrite":false}"""))).IsAsync(HttpStatusCode.NoContent);
        await (await app.Client.SendAsync(HttpMethod.Put, Reminder, Answers.Json("""{"dueTime":"2h","overwrite":false}"""))).IsErrorAsync(409, "ERR_ACTOR_REMINDER_ALREADY_EXISTS");
        await (await app.Client.SendAsync(HttpMethod.Put, Reminder, Answers.Json("""{"dueTime":"2h"}"""))).IsAsync(HttpStatusCode.NoContent);
        await (await app.Client.SendAsync(HttpMethod.Put, Reminder, Answers.Json("""{"dueTime":"1h","ttl":"2020-01-01T00:00:00Z"}"""))).IsErrorAsync(500, "ERR_ACTOR_REMINDER_CREATE");
        await (await app.Client.SendAsync(HttpMethod.Patch, Reminder, Answers.Json("""{"dueTime":"2h"}"""))).IsErrorAsync(404, "ERR_DIRECT_INVOKE");
    }

    [Theory]
    [InlineData("""{"drop":{}}""", 1)]
    [InlineData("""{"constant":{"interval":"5ms","maxRetries":2}}""", 3)]
    public async Task Reminder_ThatFails_IsTriedAsItsPolicySays(string policy, int calls)
    {
        var (cluster, app, recording) = await StartAsync((_, _) => (500, ""));
        await using var _ = cluster;

        await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/reminders/r", Answers.Json($$"""{"dueTime":"1ms","failure_policy":{{policy}}}"""));

        await UntilGoneAsync(app, "r");
        Assert.Equal(calls, recording.Of("/actors/T/1/method/remind/r").Count);
    }

    [Theory]
    [InlineData("true", true)]
    [InlineData("false", false)]
    public async Task Turn_ThatRunsWhenTheSidecarEnds_IsWaitedForIfTheAppWantsThat(string drains, bool isDeactivated)
    {
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var recording = new RecordingApp
        {
            Config = $$"""{"entities":["T"],"drainOngoingCallTimeout":"30s","drainRebalancedActors":{{drains}}}""",
            Answer = (request, _) =>
            {
                if (request.Path.EndsWith("/method/slow", StringComparison.Ordinal))
                {
                    release.Task.Wait(Stop);
                }

                return (200, "");
            },
        };
        await using var cluster = await TestCluster.OpenAsync();
        var app = await cluster.StartAsync("app", recording.Map);
        var turn = app.Client.SendAsync(HttpMethod.Put, "v1.0/actors/T/1/method/slow");
        await recording.UntilAsync("/actors/T/1/method/slow", 1);

        var end = app.Sidecar.DisposeAsync().AsTask();
        if (!drains.Equals("true", StringComparison.Ordinal))
        {
            await end; // Without waiting for the turn.
        }

        release.SetResult();
        await end;
        await Task.WhenAny(turn);
        Assert.Equal(isDeactivated, recording.All.Any(request => request.Method == "DELETE"));
    }

    [Fact]
    public async Task Actors_WithoutAStoreForThem_AreNotHosted()
    {
        await using var cluster = await TestCluster.OpenAsync(components: "");
        var app = await cluster.StartAsync("app", new RecordingApp { Config = """{"entities":["T"]}""" }.Map);

        await (await app.Client.SendAsync(HttpMethod.Put, "v1.0/actors/T/1/method/m")).IsErrorAsync(404, "ERR_ACTOR_NO_ADDRESS");
        await (await app.Client.SendAsync(HttpMethod.Get, "v1.0/actors/T/1/state/k")).IsErrorAsync(500, "ERR_ACTOR_RUNTIME_NOT_FOUND");
        await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/state", Answers.Json("[]"))).IsErrorAsync(400, "ERR_ACTOR_INSTANCE_MISSING");
        await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/reminders/r", Answers.Json("""{"dueTime":"1s"}"""))).IsErrorAsync(403, "ERR_ACTOR_REMINDER_NON_HOSTED");
        await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/timers/t", Answers.Json("""{"dueTime":"1s"}"""))).IsErrorAsync(500, "ERR_ACTOR_TIMER_CREATE");
    }

    [Fact]
    public async Task Timer_OfAnActorThatIsNotActive_WakesIt()
    {
        var (cluster, app, recording) = await StartAsync();
        await using var _ = cluster;

        await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/timers/t", Answers.Json("""{"callback":"tick","dueTime":"10ms"}"""))).IsAsync(HttpStatusCode.NoContent);
        await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/timers/late", Answers.Json("""{"callback":"tick","dueTime":"2000h","period":"P1Y"}"""))).IsAsync(HttpStatusCode.NoContent);

        await recording.UntilAsync("/actors/T/1/method/timer/t", 1);
        Assert.Empty(recording.Of("/actors/T/1/method/timer/late"));
        await (await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/timers/t", Answers.Json("""{"dueTime":"P9999Y"}"""))).IsErrorAsync(500, "ERR_ACTOR_TIMER_CREATE");
    }

    [Theory]
    [InlineData("a%2Fb", "name contains forbidden character: \"a/b\"")]
    [InlineData("%2E%2E", "name is a path traversal sequence: \"..\"")]
    [InlineData("a%09b", "name contains control character at position 1: \"a\tb\"")]
    public async Task Names_OfTimersAndReminders_AreNoPaths(string name, string words)
    {
        var (cluster, app, _) = await StartAsync();
        await using var _1 = cluster;

        foreach (var kind in new[] { "timers", "reminders" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri($"{app.Client.BaseAddress}v1.0/actors/T/1/{kind}/{name}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true })) { Content = Answers.Json("""{"dueTime":"1h"}""") };
            var answer = await app.Client.SendAsync(request, Stop);
            await answer.IsErrorAsync(400, "ERR_BAD_REQUEST");
            Assert.Equal("invalid request: " + words, (await answer.JsonAsync()).GetProperty("message").GetString());
        }
    }

    [Fact]
    public async Task Reminder_OfAShortPeriod_GoesOnAfterARestart()
    {
        var folder = Directory.CreateTempSubdirectory("sidecar-").FullName;
        try
        {
            var (first, app, before) = await StartAsync(folder: folder);
            await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/reminders/r", Answers.Json("""{"dueTime":"0s","period":"100ms"}"""));
            await before.UntilAsync("/actors/T/1/method/remind/r", 2);
            await first.DisposeAsync();

            var (second, _, after) = await StartAsync(folder: folder);
            await using var _1 = second;
            await after.UntilAsync("/actors/T/1/method/remind/r", 2);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Reentrancy_IsTheSidecarsToBeginAndNobodyElsesToEnter()
    {
        var (cluster, app, recording) = await StartAsync(config: """{"entities":["T","U"],"entitiesConfig":[{"entities":["T"],"reentrancy":{"enabled":true}}]}""");
        await using var _ = cluster;

        await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/method/m");
        await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/method/m", null, ("Dapr-Reentrancy-Id", "given"));
        await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/U/1/method/m");

        var calls = recording.Of("/actors/T/1/method/m");
        Assert.True(Guid.TryParse(calls[0].Header("Dapr-Reentrancy-Id"), out var _1));
        Assert.Equal("given", calls[1].Header("Dapr-Reentrancy-Id"));
        Assert.Equal("", Assert.Single(recording.Of("/actors/U/1/method/m")).Header("Dapr-Reentrancy-Id"));
    }

    private static async Task UntilGoneAsync(TestApp app, string reminder)
    {
        while ((await app.Client.SendAsync(HttpMethod.Get, "v1.0/actors/T/1/reminders/" + reminder)).StatusCode != HttpStatusCode.NotFound)
        {
            await Task.Delay(5, Stop);
        }
    }

    private static async Task<(TestCluster Cluster, TestApp App, RecordingApp Recording)> StartAsync(
        Func<Recorded, int, (int Status, string Body)>? answer = null, Action<Microsoft.AspNetCore.Http.IHeaderDictionary>? headers = null, string config = """{"entities":["T"]}""", string? folder = null)
    {
        var cluster = await TestCluster.OpenAsync(folder: folder);
        var recording = new RecordingApp { Config = config, Answer = answer ?? ((_, _) => (200, "")), AddHeaders = headers ?? (_ => { }) };
        return (cluster, await cluster.StartAsync("app", recording.Map), recording);
    }
}
