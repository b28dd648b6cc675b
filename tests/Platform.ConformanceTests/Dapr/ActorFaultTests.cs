using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Platform.ConformanceTests.Dapr;

/// <summary>Actors under load and in trouble: many reminders, an app that dies in a turn, a type with two hosts, breakers, orders of turns over all of it.</summary>
public sealed class ActorFaultTests
{
    private const string Breakers = """

        ---
        apiVersion: dapr.io/v1alpha1
        kind: Resiliency
        metadata: { name: resiliency }
        spec:
          policies: { circuitBreakers: { quick: { maxRequests: 1, timeout: 1h, trip: consecutiveFailures > 1 } } }
          targets: { actors: { T: { circuitBreaker: quick, circuitBreakerScope: SCOPE } } }
        """;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Reminders_TenThousandDueAtOnceAfterARestart_AllFireABoundedNumberAtATime()
    {
        const int Count = 10_000;
        var folder = Directory.CreateTempSubdirectory("sidecar-").FullName;
        var fired = new Fired();
        try
        {
            await using (var first = await TestCluster.OpenAsync(folder: folder))
            {
                var app = await first.StartAsync("app", Host(fired));
                await Parallel.ForAsync(0, Count, new ParallelOptions { MaxDegreeOfParallelism = 64, CancellationToken = Stop }, async (i, _) =>
                    await (await app.Client.SendAsync(HttpMethod.Post, $"v1.0/actors/T/{i}/reminders/wake", Answers.Json("""{"dueTime":"30m","data":"x"}"""))).IsAsync(HttpStatusCode.NoContent));
                await app.StopAsync();
            }

            Assert.Equal(0, fired.Count);
            var later = new LaterTime(TimeSpan.FromHours(1));
            await using var second = await TestCluster.OpenAsync(folder: folder, time: later);
            await second.StartAsync("app", Host(fired));
            while (fired.Count < Count)
            {
                await Task.Delay(20, Stop);
            }

            Assert.InRange(fired.MostAtOnce, 1, 128);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public async Task Reminders_OfATypeThatStandsStill_HoldUpNoOther()
    {
        const int Count = 130; // More than one type may have under way.
        await using var cluster = await TestCluster.OpenAsync();
        var never = new TaskCompletionSource();
        var (stuck, fine) = (new ConcurrentDictionary<string, bool>(), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        var stalls = await cluster.StartAsync("stalls", app =>
        {
            app.MapGet("/dapr/config", () => Results.Text("""{"entities":["Stuck"]}""", "application/json"));
            app.MapPut("/actors/Stuck/{id}/method/remind/{name}", async (string id) =>
            {
                stuck[id] = true;
                await never.Task;
            });
        });
        var works = await cluster.StartAsync("works", app =>
        {
            app.MapGet("/dapr/config", () => Results.Text("""{"entities":["Fine"]}""", "application/json"));
            app.MapPut("/actors/Fine/{id}/method/remind/{name}", () => fine.SetResult());
        });
        await Task.WhenAll(Enumerable.Range(0, Count).Select(async i =>
            await (await stalls.Client.SendAsync(HttpMethod.Post, $"v1.0/actors/Stuck/{i}/reminders/wake", Answers.Json("""{"dueTime":"0s"}"""))).IsAsync(HttpStatusCode.NoContent)));
        while (stuck.Count < 128)
        {
            await Task.Delay(5, Stop);
        }

        await works.Client.SendAsync(HttpMethod.Post, "v1.0/actors/Fine/1/reminders/wake", Answers.Json("""{"dueTime":"0s"}"""));

        await fine.Task.WaitAsync(Stop);
        Assert.Equal(128, stuck.Count);
        never.SetResult();
    }

    [Fact]
    public async Task Deactivation_ThatStandsStill_HoldsUpNoOtherApp()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var never = new TaskCompletionSource();
        var (begun, ended) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        Action<WebApplication> Map(string type, Func<Task> deactivate) => app =>
        {
            app.MapGet("/dapr/config", () => Results.Text($$"""{"entities":["{{type}}"],"actorIdleTimeout":"10ms"}""", "application/json"));
            app.MapPut("/actors/{type}/{id}/method/{name}", () => Results.Ok());
            app.MapDelete("/actors/{type}/{id}", deactivate);
        };
        var stalls = await cluster.StartAsync("stalls", Map("Stuck", () =>
        {
            begun.TrySetResult();
            return never.Task;
        }));
        var works = await cluster.StartAsync("works", Map("Fine", () =>
        {
            ended.TrySetResult();
            return Task.CompletedTask;
        }));
        await stalls.Client.SendAsync(HttpMethod.Post, "v1.0/actors/Stuck/1/method/m");
        await begun.Task.WaitAsync(Stop);

        await works.Client.SendAsync(HttpMethod.Post, "v1.0/actors/Fine/1/method/m");

        await ended.Task.WaitAsync(Stop);
        never.SetResult();
    }

    [Fact]
    public async Task Drain_WaitsForTurnsThatHang_AndMeanwhileDeactivatesTheOthers()
    {
        const int Count = 10; // Of each kind: that all idle ones came first by chance is out of the question.
        await using var cluster = await TestCluster.OpenAsync();
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var (hanging, ended) = (new ConcurrentDictionary<string, bool>(), new ConcurrentDictionary<string, bool>());
        var app = await cluster.StartAsync("app", app =>
        {
            app.MapGet("/dapr/config", () => Results.Text("""{"entities":["T"],"drainOngoingCallTimeout":"1h"}""", "application/json"));
            app.MapPut("/actors/T/{id}/method/quick", () => Results.Ok());
            app.MapPut("/actors/T/{id}/method/hang", (string id) =>
            {
                hanging[id] = true;
                return release.Task;
            });
            app.MapDelete("/actors/T/{id}", (string id) => { ended[id] = true; });
        });
        await Task.WhenAll(Enumerable.Range(0, Count).Select(i => app.Client.SendAsync(HttpMethod.Post, $"v1.0/actors/T/idle{i}/method/quick")));
        var turns = Enumerable.Range(0, Count).Select(i => app.Client.SendAsync(HttpMethod.Post, $"v1.0/actors/T/busy{i}/method/hang")).ToList();
        while (hanging.Count < Count)
        {
            await Task.Delay(5, Stop);
        }

        var end = app.Sidecar.DisposeAsync().AsTask();
        while (ended.Count < Count)
        {
            await Task.Delay(5, Stop);
        }

        Assert.All(ended.Keys, id => Assert.StartsWith("idle", id, StringComparison.Ordinal));
        release.SetResult();
        await end;
        Assert.Equal(2 * Count, ended.Count);
        await Task.WhenAll(turns.Select(turn => Task.WhenAny(turn)));
    }

    [Fact]
    public async Task Reminders_ThatFailAndWaitLong_HoldUpNoOther()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var (failed, fine) = (new ConcurrentDictionary<string, bool>(), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        var app = await cluster.StartAsync("app", app =>
        {
            app.MapGet("/dapr/config", () => Results.Text("""{"entities":["T"]}""", "application/json"));
            app.MapPut("/actors/T/{id}/method/remind/{name}", (string id) =>
            {
                if (id == "fine")
                {
                    fine.SetResult();
                    return Results.Ok();
                }

                failed[id] = true;
                return Results.StatusCode(500);
            });
        });
        const string Patient = """{"dueTime":"0s","failurePolicy":{"constant":{"interval":"2000h","maxRetries":3}}}"""; // Longer than a timer of .NET can wait.
        await Task.WhenAll(Enumerable.Range(0, 130).Select(i => app.Client.SendAsync(HttpMethod.Post, $"v1.0/actors/T/{i}/reminders/wake", Answers.Json(Patient))));
        while (failed.Count < 130)
        {
            await Task.Delay(5, Stop);
        }

        await app.Client.SendAsync(HttpMethod.Post, "v1.0/actors/T/fine/reminders/wake", Answers.Json("""{"dueTime":"0s"}"""));

        await fine.Task.WaitAsync(Stop);
    }

    [Fact]
    public async Task App_ThatDiesInATurn_FailsThatCallAndLetsTheNextTurnRunInItsNextLife()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var lives = 0;
        var entered = new SemaphoreSlim(0);
        var app = await cluster.StartAsync("app", app =>
        {
            var life = Interlocked.Increment(ref lives);
            app.MapGet("/dapr/config", () => Results.Text("""{"entities":["T"]}""", "application/json"));
            app.MapPut("/actors/T/{id}/method/{name}", async (HttpContext context) =>
            {
                if (life == 1)
                {
                    entered.Release();
                    await Task.Delay(Timeout.Infinite, context.RequestAborted);
                }

                await context.Response.WriteAsync($"life {life}", Stop);
            });
        });
        using var dapr = await cluster.StartCallerAsync();

        var dying = dapr.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/method/m");
        await entered.WaitAsync(Stop);
        await app.StopAsync();
        await (await dying).IsErrorAsync(500, "ERR_ACTOR_INVOKE_METHOD");
        await app.UntilAwayAsync();
        await app.StartAsync();
        await app.UntilReadyAsync();

        await (await dapr.SendAsync(HttpMethod.Post, "v1.0/actors/T/1/method/m")).IsAsync(HttpStatusCode.OK, "life 2");
    }

    [Fact]
    public async Task Type_WithTwoHosts_MovesItsActorsWithoutTwoTurnsAtOnce()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var history = new History();
        await cluster.StartAsync("one", Counting("one", history));
        using var dapr = await cluster.StartCallerAsync();
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var callers = Enumerable.Range(0, 16).Select(caller => Task.Run(
            async () =>
            {
                for (var i = 0; !stopping.IsCancellationRequested; i++)
                {
                    await (await dapr.SendAsync(HttpMethod.Post, $"v1.0/actors/T/{(caller + i) % 8}/method/m")).IsAsync(HttpStatusCode.OK);
                }
            },
            Stop)).ToList();

        await History.UntilAsync(() => history.TurnsOf("one") > 100);
        await cluster.StartAsync("two", Counting("two", history));
        await History.UntilAsync(() => history.TurnsOf("two") > 100 && history.Deactivations > 0);
        await stopping.CancelAsync();
        await Task.WhenAll(callers);

        Assert.Equal(0, history.Overlaps);
        Assert.All(history.HostsOf.Values, hosts => Assert.True(hosts.Zip(hosts.Skip(1)).Count(pair => pair.First != pair.Second) <= 1, "an actor moved back and forth: " + string.Join(' ', hosts)));
    }

    [Theory]
    [InlineData("type", false)]
    [InlineData("id", true)]
    [InlineData("both", false)]
    public async Task Breaker_OfActors_OpensForTheScopeThatThePolicyNames(string scope, bool othersPass)
    {
        await using var cluster = await TestCluster.OpenAsync(TestCluster.Components + Breakers.Replace("SCOPE", scope, StringComparison.Ordinal));
        await cluster.StartAsync("app", app =>
        {
            app.MapGet("/dapr/config", () => Results.Text("""{"entities":["T"]}""", "application/json"));
            app.MapPut("/actors/T/{id}/method/{name}", (string id) => id == "bad" ? Results.StatusCode(500) : Results.Ok());
        });
        using var dapr = await cluster.StartCallerAsync();

        for (var i = 0; i < 2; i++)
        {
            await (await dapr.SendAsync(HttpMethod.Post, "v1.0/actors/T/bad/method/m")).IsErrorAsync(500, "ERR_ACTOR_INVOKE_METHOD");
        }

        Assert.Contains("circuit breaker is open", await (await dapr.SendAsync(HttpMethod.Post, "v1.0/actors/T/bad/method/m")).TextAsync(), StringComparison.Ordinal);
        Assert.Equal(othersPass ? HttpStatusCode.OK : HttpStatusCode.InternalServerError, (await dapr.SendAsync(HttpMethod.Post, "v1.0/actors/T/good/method/m")).StatusCode);
    }

    [Fact]
    public async Task Breaker_OfActorsWithoutAScope_IsRefusedWithFileAndLine()
    {
        await using var cluster = await TestCluster.OpenAsync(TestCluster.Components + Breakers.Replace(", circuitBreakerScope: SCOPE", "", StringComparison.Ordinal));

        var e = await Assert.ThrowsAsync<Platform.Local.Sidecar.SidecarException>(() => cluster.StartSidecarAsync("app"));

        Assert.Contains("all.yaml(", e.Message, StringComparison.Ordinal);
        Assert.Contains("circuitBreakerScope is 'missing'", e.Message, StringComparison.Ordinal);
    }

    private static Action<WebApplication> Host(Fired fired) => app =>
    {
        app.MapGet("/dapr/config", () => Results.Text("""{"entities":["T"]}""", "application/json"));
        app.MapPut("/actors/T/{id}/method/remind/{name}", async (string id) =>
        {
            fired.Enter(id);
            await Task.Yield();
            fired.Exit();
            return Results.Ok();
        });
        app.MapDelete("/actors/T/{id}", () => Results.Ok());
    };

    private static Action<WebApplication> Counting(string name, History history) => app =>
    {
        app.MapGet("/dapr/config", () => Results.Text("""{"entities":["T"]}""", "application/json"));
        app.MapPut("/actors/T/{id}/method/{name}", async (HttpRequest request) =>
        {
            var id = (string)request.RouteValues["id"]!;
            history.Enter(id, name);
            await Task.Yield();
            history.Exit(id);
            return Results.Ok();
        });
        app.MapDelete("/actors/T/{id}", (string id) =>
        {
            history.Enter(id, null);
            history.Exit(id);
            return Results.Ok();
        });
    };

    /// <summary>Whose reminder fired, and how many did at once.</summary>
    private sealed class Fired
    {
        private readonly ConcurrentDictionary<string, bool> _ids = new();
        private readonly Lock _gate = new();
        private int _running;

        public int Count => _ids.Count;

        public int MostAtOnce { get; private set; }

        public void Enter(string id)
        {
            _ids[id] = true;
            lock (_gate)
            {
                MostAtOnce = Math.Max(MostAtOnce, ++_running);
            }
        }

        public void Exit()
        {
            lock (_gate)
            {
                _running--;
            }
        }
    }

    /// <summary>Who had a turn of which actor, and whether two ever had one at once.</summary>
    private sealed class History
    {
        private readonly ConcurrentDictionary<string, int> _running = new();
        private readonly ConcurrentDictionary<string, int> _turns = new();
        private int _overlaps;
        private int _deactivations;

        public int Overlaps => Volatile.Read(ref _overlaps);

        public int Deactivations => Volatile.Read(ref _deactivations);

        /// <summary>Per actor, the hosts of its turns in their order; the turns of one actor do not overlap, so neither do the additions.</summary>
        public ConcurrentDictionary<string, List<string>> HostsOf { get; } = new();

        public int TurnsOf(string host) => _turns.GetValueOrDefault(host);

        public void Enter(string id, string? host)
        {
            if (_running.AddOrUpdate(id, 1, (_, count) => count + 1) != 1)
            {
                Interlocked.Increment(ref _overlaps);
            }

            if (host is null)
            {
                Interlocked.Increment(ref _deactivations);
                return;
            }

            HostsOf.GetOrAdd(id, _ => []).Add(host);
            _turns.AddOrUpdate(host, 1, (_, count) => count + 1);
        }

        public void Exit(string id) => _running.AddOrUpdate(id, 0, (_, count) => count - 1);

        public static async Task UntilAsync(Func<bool> condition)
        {
            while (!condition())
            {
                await Task.Delay(5, Stop);
            }
        }
    }

    /// <summary>The system's clock, shown later than it is: what was due in an hour is due now.</summary>
    private sealed class LaterTime(TimeSpan by) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + by;
    }
}
