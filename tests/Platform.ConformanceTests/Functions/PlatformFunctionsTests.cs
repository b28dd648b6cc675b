using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Platform.Jobs;

namespace Platform.ConformanceTests.Functions;

/// <summary>The platform's own functions, as the build emits them, behind the embedded host.</summary>
public sealed class PlatformFunctionsTests : PlatformFunctionsApp
{
    [Fact]
    public async Task Build_OfTheFunctions_MakesACompleteApp()
    {
        await StartAsync();

        Assert.All(Host!.Functions, function => Assert.Null(function.Error));
        Assert.Contains("POST v1/completions", Host.Routes.Select(route => $"{string.Join(',', route.Methods)} {route.Template}"));
        Assert.Contains(Host.Functions, function => function.Name == "RunJob");
    }

    [Fact]
    public async Task Completion_OfAReadyModel_StreamsFromItsWorkerWithoutAskingControl()
    {
        Nodes(("worker-0", "Ready"), ("worker-1", "Absent"));
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Sidecar.On(CompletionAt("worker-0"), async context =>
        {
            context.Response.ContentType = "text/event-stream";
            context.Response.Headers["Server-Timing"] = "firstToken;dur=5";
            context.Response.Headers[Routes.ObjectStoreBytesHeader] = "0";
            await context.Response.WriteAsync("data: one\n\n");
            await context.Response.Body.FlushAsync();
            await go.Task;
            await context.Response.WriteAsync("data: [DONE]\n\n");
        });
        await StartAsync();

        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/completions") { Content = Json("""{"model":"m","prompt":"a","stream":true}""") };
        using var response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancel));
        var first = await reader.ReadLineAsync(Cancel);
        go.SetResult();
        var rest = await reader.ReadToEndAsync(Cancel);

        Assert.Equal(("data: one", "\ndata: [DONE]\n\n"), (first, rest));
        Assert.Equal("worker-0", response.Headers.GetValues(Routes.WorkerHeader).Single());
        Assert.Equal(["queued", "placed", "firstToken"], ServerTiming.Parse(response.Headers.GetValues(ServerTiming.Header).Single()).Keys);
        Assert.DoesNotContain(Sidecar.Calls, call => call.StartsWith("actors/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Completion_OfAColdModel_GoesWhereControlSaysWithTheManifest()
    {
        Nodes(("worker-0", "Absent"), ("worker-1", "Absent"));
        Replica("worker-1");
        string? manifest = null;
        Sidecar.On(CompletionAt("worker-1"), context =>
        {
            manifest = Encoding.UTF8.GetString(Convert.FromBase64String(context.Request.Headers[Routes.ManifestHeader].ToString()));
            return FakeSidecar.WriteAsync(context, """{"text":"hi"}""");
        });
        await StartAsync();

        using var response = await CompleteAsync("""{"model":"m","prompt":"a"}""");

        Assert.Equal("""{"text":"hi"}""", await response.Content.ReadAsStringAsync(Cancel));
        Assert.Equal("m", JsonSerializer.Deserialize(manifest!, JobsJson.Default.ModelManifest)!.Name);
    }

    [Fact]
    public async Task Completion_AfterAColdOne_GoesToTheSameWorkerThoughTheTableIsOld()
    {
        Nodes(("worker-0", "Absent"), ("worker-1", "Absent"));
        Replica("worker-1");
        Sidecar.On(CompletionAt("worker-1"), """{"text":"hi"}""");
        await StartAsync();

        using var cold = await CompleteAsync("""{"model":"m","prompt":"a"}""");
        using var warm = await CompleteAsync("""{"model":"m","prompt":"a"}""");

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (cold.StatusCode, warm.StatusCode));
        Assert.Single(Sidecar.Calls, call => call.EndsWith("EnsureReplica", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Completion_OfAModelThatItsWorkerForgot_GoesBackWithTheManifest()
    {
        Nodes(("worker-0", "Ready"));
        Replica("worker-0");
        Sidecar.On(CompletionAt("worker-0"), context => context.Request.Headers.ContainsKey(Routes.ManifestHeader)
            ? FakeSidecar.WriteAsync(context, """{"text":"hi"}""")
            : FakeSidecar.WriteAsync(context, """{"code":"model-not-found"}""", 404));
        await StartAsync();

        using var response = await CompleteAsync("""{"model":"m","prompt":"a"}""");

        Assert.Equal("""{"text":"hi"}""", await response.Content.ReadAsStringAsync(Cancel));
    }

    [Fact]
    public async Task Completion_WhoseWorkerIsLost_IsServedByAnother()
    {
        Nodes(("worker-0", "Ready"));
        JsonNode? asked = null;
        Sidecar.On(CompletionAt("worker-0"), Lost, 500);
        Sidecar.On("actors/ModelActor/m/method/EnsureReplica", async context =>
        {
            asked = await JsonNode.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
            await FakeSidecar.WriteAsync(context, ReplicaJson("worker-1"));
        });
        Sidecar.On(CompletionAt("worker-1"), """{"text":"hi"}""");
        await StartAsync();

        using var response = await CompleteAsync("""{"model":"m","prompt":"a"}""");

        Assert.Equal("worker-1", response.Headers.GetValues(Routes.WorkerHeader).Single());
        Assert.Equal("""["worker-0"]""", asked!["avoid"]!.ToJsonString());
    }

    [Fact]
    public async Task Completion_WhenAWorkerBreaksOffInAStream_EndsWithAnErrorEvent()
    {
        var seen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Nodes(("worker-0", "Ready"));
        Sidecar.On(CompletionAt("worker-0"), async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync("data: one\n\n");
            await context.Response.Body.FlushAsync();
            await seen.Task;
            context.Abort();
        });
        await StartAsync();

        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/completions") { Content = Json("""{"model":"m","prompt":"a","stream":true}""") };
        using var response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancel));
        Assert.Equal("data: one", await reader.ReadLineAsync(Cancel));
        seen.SetResult();
        var text = await reader.ReadToEndAsync(Cancel);

        Assert.Contains("\"code\":\"worker-lost\"", text, StringComparison.Ordinal);
        Assert.DoesNotContain("[DONE]", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Completion_WhoseClientGoesAway_IsCancelledAtTheWorker()
    {
        Nodes(("worker-0", "Ready"));
        var cancelled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Sidecar.On(CompletionAt("worker-0"), async context =>
        {
            context.RequestAborted.Register(cancelled.SetResult);
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync("data: one\n\n");
            await context.Response.Body.FlushAsync();
            await cancelled.Task;
        });
        await StartAsync();

        using (var request = new HttpRequestMessage(HttpMethod.Post, "v1/completions") { Content = Json("""{"model":"m","prompt":"a","stream":true}""") })
        using (var response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel))
        {
            await (await response.Content.ReadAsStreamAsync(Cancel)).ReadExactlyAsync(new byte[4], Cancel);
        }

        await cancelled.Task.WaitAsync(Cancel);
    }

    [Fact]
    public async Task Completion_ThatCannotBeServed_SaysWhy()
    {
        Nodes();
        Sidecar.On("actors/ModelActor/unknown/method/EnsureReplica", """{"reason":"not published"}""");
        Sidecar.On("actors/ModelActor/nowhere/method/EnsureReplica", """{"manifest":{"name":"nowhere","files":[]},"reason":"worker-0: full"}""");
        Sidecar.On("actors/ModelActor/away/method/EnsureReplica", """{"errorCode":"ERR_ACTOR_NO_ADDRESS","message":"no host"}""", 500);
        await StartAsync();
        (string Body, int Status, string Code)[] cases =
        [
            ("{", 400, "invalid-json"),
            ("[]", 400, "invalid-json"),
            ("""{"prompt":"a"}""", 400, "invalid-request"),
            ("""{"model":"m"}""", 400, "invalid-request"),
            ("""{"model":"m","prompt":""}""", 400, "prompt-empty"),
            ("""{"model":"m","prompt":[]}""", 400, "prompt-empty"),
            ("""{"model":"../m","prompt":"a"}""", 404, "model-not-found"),
            ("""{"model":"unknown","prompt":"a"}""", 404, "model-not-found"),
            ("""{"model":"nowhere","prompt":"a"}""", 503, "no-worker"),
            ("""{"model":"away","prompt":"a"}""", 503, "unavailable"),
        ];

        foreach (var (body, status, code) in cases)
        {
            using var response = await CompleteAsync(body);
            var problem = (await response.Content.ReadFromJsonAsync<JsonNode>(Cancel))!;

            Assert.Equal((body, status, code, code), (body, (int)response.StatusCode, problem["code"]!.ToString(), problem["error"]!["code"]!.ToString()));
            Assert.Equal(Problem.ContentType, response.Content.Headers.ContentType!.MediaType);
            Assert.Equal(status == 503, response.Headers.Contains("Retry-After"));
        }
    }

    [Fact]
    public async Task Completion_BeyondTheHeldCalls_Is429()
    {
        Nodes();
        Replica("worker-0");
        await StartAsync(("Router__MaxHeldCalls", "0"));

        using var response = await CompleteAsync("""{"model":"m","prompt":"a"}""");

        Assert.Equal(HttpStatusCode.TooManyRequests, response.StatusCode);
        Assert.Equal("1", response.Headers.GetValues("Retry-After").Single());
        Assert.Equal(["queued"], ServerTiming.Parse(response.Headers.GetValues(ServerTiming.Header).Single()).Keys);
    }

    [Theory]
    [InlineData("v1/completions", """{"model":"m","prompt":"a"}""")]
    [InlineData("v2/models/m/generate", """{"text_input":"a"}""")]
    public async Task Completion_BeyondTheHeldCallsOfAModelThatIsBeingLoaded_IsToldWhenItIsExpectedToBeReady(string path, string body)
    {
        Nodes(("worker-0", "Loading"), ("worker-1", "Absent"));
        await StartAsync(("Router__MaxHeldCalls", "0"));

        using var response = await Client.PostAsync(path, Json(body), Cancel);

        Assert.Equal((HttpStatusCode.TooManyRequests, "13"), (response.StatusCode, response.Headers.GetValues("Retry-After").Single()));
        Assert.Equal(["queued"], ServerTiming.Parse(response.Headers.GetValues(ServerTiming.Header).Single()).Keys);
    }

    [Fact]
    public async Task Completion_OfAModelThatIsBeingLoaded_WithAsManyWaitingAsMay_IsRefusedAndNoOtherNodeLoadsItToo()
    {
        Nodes(("worker-0", "Absent"), ("worker-1", "Absent"));
        Replica("worker-0");
        Sidecar.On(CompletionAt("worker-0"), context =>
        {
            context.Response.Headers.RetryAfter = "7";
            return FakeSidecar.WriteAsync(context, """{"code":"model-loading","status":429}""", 429);
        });
        await StartAsync();

        using var response = await CompleteAsync("""{"model":"m","prompt":"a"}""");

        Assert.Equal((HttpStatusCode.TooManyRequests, "7"), (response.StatusCode, response.Headers.GetValues("Retry-After").Single()));
        Assert.Single(Sidecar.Calls, call => call == CompletionAt("worker-0"));
        Assert.Single(Sidecar.Calls, call => call.EndsWith("EnsureReplica", StringComparison.Ordinal));
        Assert.Equal(["queued", "placed"], ServerTiming.Parse(response.Headers.GetValues(ServerTiming.Header).Single()).Keys);
    }

    [Theory]
    [InlineData("", "host")]
    [InlineData("?level=process", "process")]
    public async Task Model_PutToSleep_SleepsOnEveryNodeThatHasItInMemory(string query, string level)
    {
        Published();
        Nodes(("worker-0", "Ready"), ("worker-1", "Nvme"), ("worker-2", "Host"));
        var asked = new System.Collections.Concurrent.ConcurrentBag<string>();
        foreach (var worker in (string[])["worker-0", "worker-2"])
        {
            Sidecar.On($"invoke/{worker}/method/models/m/sleep", context =>
            {
                asked.Add($"{worker} {context.Request.Query["level"]}");
                context.Response.StatusCode = 204;
                return Task.CompletedTask;
            });
        }

        await StartAsync();
        using var response = await Client.PostAsync("api/models/m/sleep" + query, null, Cancel);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal([$"worker-0 {level}", $"worker-2 {level}"], asked.Order());
        Assert.Equal(["worker-0", "worker-2"], (await response.Content.ReadFromJsonAsync<JsonNode>(Cancel))!["nodes"]!.AsArray().Select(node => (string)node!));
    }

    [Theory]
    [InlineData("api/models/m/sleep?level=deep", 400, "invalid-request")]
    [InlineData("api/models/nobody/sleep", 404, "model-not-found")]
    public async Task Sleep_OfWhatIsNotThere_SaysWhy(string path, int status, string code)
    {
        Published();
        Nodes();
        Sidecar.On("actors/ModelActor/nobody/method/Get", "null");
        await StartAsync();

        using var response = await Client.PostAsync(path, null, Cancel);

        Assert.Equal((status, code), ((int)response.StatusCode, (await response.Content.ReadFromJsonAsync<JsonNode>(Cancel))!["code"]!.ToString()));
    }

    [Fact]
    public async Task Job_Submitted_IsAcknowledgedWithItsPlaceAndRunByTheQueue()
    {
        var dispatched = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Published();
        Sidecar.On("actors/JobActor/j1/method/Submit", """{"outcome":"Created","status":{"id":"j1","spec":{"kind":"batch-infer"},"state":"Queued","submittedAt":"2026-01-01T00:00:00Z"}}""");
        Sidecar.On("actors/JobActor/j1/method/Dispatch", async context =>
        {
            await FakeSidecar.WriteAsync(context, "null");
            dispatched.TrySetResult();
        });
        await StartAsync();

        using var response = await Client.PostAsync("api/jobs", Json("""{"id":"j1","kind":"batch-infer","model":"m","prompts":["a"]}"""), Cancel);

        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        await dispatched.Task.WaitAsync(Cancel);
        Assert.Equal("/api/jobs/j1", response.Headers.Location!.OriginalString);
        Assert.Equal("j1", (await response.Content.ReadFromJsonAsync(JobsJson.Default.JobStatus, Cancel))!.Id);
    }

    [Fact]
    public async Task Job_ThatIsRefused_RingsNoQueue()
    {
        Published();
        Sidecar.On("actors/ModelActor/gone/method/Get", "null");
        Sidecar.On("actors/JobActor/j2/method/Submit", """{"outcome":"Conflict","status":{"id":"j2","spec":{"kind":"batch-infer"},"state":"Queued","submittedAt":"2026-01-01T00:00:00Z"}}""");
        await StartAsync();
        (string Body, int Status, string Code)[] cases =
        [
            ("{", 400, "invalid-json"),
            ("""{"kind":"batch-infer","model":"M!","prompts":[""],"maxTokens":0}""", 400, "invalid-request"),
            ("""{"kind":"batch-infer","model":"gone","prompts":["a"]}""", 404, "model-not-found"),
            ("""{"id":"j2","kind":"batch-infer","model":"m","prompts":["a"]}""", 409, "job-conflict"),
        ];

        foreach (var (body, status, code) in cases)
        {
            using var response = await Client.PostAsync("api/jobs", Json(body), Cancel);

            Assert.Equal((body, status, code), (body, (int)response.StatusCode, (await response.Content.ReadFromJsonAsync<JsonNode>(Cancel))!["code"]!.ToString()));
        }

        Assert.DoesNotContain(Sidecar.Calls, call => call.EndsWith("Dispatch", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Job_WithAChunkedBody_IsToldThatHostsDropIt()
    {
        await StartAsync();

        using var request = new HttpRequestMessage(HttpMethod.Post, "api/jobs") { Content = Json("""{"kind":"batch-infer","model":"m","prompts":["a"]}""") };
        request.Headers.TransferEncodingChunked = true;
        using var response = await Client.SendAsync(request, Cancel);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("Content-Length", (await response.Content.ReadFromJsonAsync<JsonNode>(Cancel))!["detail"]!.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Job_Unknown_Is404()
    {
        Sidecar.On("actors/JobActor/none/method/Get", "null");
        await StartAsync();

        using var unknown = await Client.GetAsync("api/jobs/none", Cancel);
        using var malformed = await Client.GetAsync("api/jobs/no.such.name", Cancel);

        Assert.Equal((404, 404), ((int)unknown.StatusCode, (int)malformed.StatusCode));
        Assert.Equal("job-not-found", (await unknown.Content.ReadFromJsonAsync<JsonNode>(Cancel))!["code"]!.ToString());
    }

    [Fact]
    public async Task Status_WithControlAway_SaysSoAndAnswers()
    {
        await StartAsync();

        var status = (await Client.GetFromJsonAsync<JsonNode>("api/status", Cancel))!;

        Assert.False(status["controlReachable"]!.GetValue<bool>());
        Assert.Equal(Host!.HandlerProcessId, status["functionsProcessId"]!.GetValue<int>());
    }

    private static string CompletionAt(string worker) => $"invoke/{worker}/method/v1/completions";

    [Fact]
    public async Task Sweep_RunByHand_NudgesReleasesDropsAndTidiesThroughControl()
    {
        Nodes(("worker-0", "Ready"));
        Sidecar.On("actors/ModelIndexActor/all/method/List", "[]");
        Sidecar.On("actors/ModelActor/m/method/Sweep", """{"published":false,"released":[],"dropped":["worker-0"]}""");
        Sidecar.On("actors/JobActor/open/method/Dispatch", "null");
        Sidecar.On("actors/JobActor/left/method/Tidy", """{"objects":2,"lengthBytes":30}""");
        Sidecar.On("actors/JobIndexActor/all/method/List", async context =>
        {
            var rows = """
                {"id":"open","kind":"k","state":"Running","attempts":1,"submittedAt":"2026-01-01T00:00:00Z"},
                {"id":"left","kind":"k","state":"Succeeded","attempts":2,"submittedAt":"2020-01-01T00:00:00Z","endedAt":"2020-01-01T00:00:00Z"},
                {"id":"neat","kind":"k","state":"Succeeded","attempts":1,"submittedAt":"2020-01-01T00:00:00Z","endedAt":"2020-01-01T00:00:00Z"}
                """;
            await FakeSidecar.WriteAsync(context, $$"""{"jobs":[{{rows}}]}""");
        });
        await StartAsync();

        await SweepAsync(1);
        await SweepAsync(2);

        // The second sweep remembers that the job's leftovers are gone.
        var metrics = await Client.GetStringAsync("metrics", Cancel);
        Assert.Contains("kind=\"nudged\"} 2", metrics, StringComparison.Ordinal);
        Assert.Contains("kind=\"dropped\"} 2", metrics, StringComparison.Ordinal);
        Assert.Contains("kind=\"deleted\"} 2", metrics, StringComparison.Ordinal);
        Assert.Contains("kind=\"failed\"} 0", metrics, StringComparison.Ordinal);
        Assert.Single(Sidecar.Calls, call => call.EndsWith("Tidy", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Sweep_OfAnyNumberOfWaitingJobs_LooksAtAFewAndNudgesFewer()
    {
        Sidecar.On("actors/ModelIndexActor/all/method/List", "[]");
        Sidecar.On("actors/JobIndexActor/all/method/List", context => FakeSidecar.WriteAsync(context, $$"""
            {"jobs":[{{string.Join(',', Enumerable.Range(0, 500).Select(_ => """{"id":"waiting","kind":"k","state":"Queued","attempts":0,"submittedAt":"2026-01-01T00:00:00Z"}"""))}}],"next":"there is always more"}
            """));
        Sidecar.On("actors/JobActor/waiting/method/Dispatch", "null");
        await StartAsync();

        await SweepAsync(1);

        Assert.Equal((4, 200), (Sidecar.Calls.Count(call => call.EndsWith("JobIndexActor/all/method/List", StringComparison.Ordinal)), Sidecar.Calls.Count(call => call.EndsWith("Dispatch", StringComparison.Ordinal))));
    }

    [Fact]
    public async Task Message_WithASpec_SubmitsItAndOneWithoutOnlyRings()
    {
        var dispatched = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Sidecar.On("actors/JobActor/sent/method/Submit", """{"outcome":"Created","status":{"id":"sent","spec":{"kind":"batch-infer"},"state":"Queued","submittedAt":"2026-01-01T00:00:00Z"}}""");
        Sidecar.On("actors/JobActor/sent/method/Dispatch", "null");
        Sidecar.On("actors/JobActor/known/method/Dispatch", async context =>
        {
            await FakeSidecar.WriteAsync(context, "null");
            dispatched.TrySetResult();
        });
        await StartAsync();

        await Host!.Queues.Open(AppIds.JobQueue).SendAsync(Encoded("""{"id":"sent","spec":{"kind":"batch-infer","model":"m","prompts":["a"]}}"""), Cancel);
        await Host.Queues.Open(AppIds.JobQueue).SendAsync(Encoded("""{"id":"known"}"""), Cancel);
        await dispatched.Task.WaitAsync(Cancel);
        while (Host.Queues.Open(AppIds.JobQueue).Count > 0)
        {
            await Task.Delay(20, Cancel);
        }

        Assert.Equal(
            ["actors/JobActor/known/method/Dispatch", "actors/JobActor/sent/method/Dispatch", "actors/JobActor/sent/method/Submit"],
            Sidecar.Calls.Where(call => call.Contains("JobActor/", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    private static string Encoded(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    /// <summary>Runs a sweep by hand, the <paramref name="number"/>th of this app, and waits for its end.</summary>
    private async Task SweepAsync(int number)
    {
        using var accepted = await Client.PostAsJsonAsync("admin/functions/Sweep", new { input = "" }, Cancel);
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        while (!(await Client.GetStringAsync("metrics", Cancel)).Contains($"Platform_Functions_sweeps_total {number}", StringComparison.OrdinalIgnoreCase))
        {
            await Task.Delay(20, Cancel);
        }
    }

    private Task<HttpResponseMessage> CompleteAsync(string body) => Client.PostAsync("v1/completions", Json(body), Cancel);
}
