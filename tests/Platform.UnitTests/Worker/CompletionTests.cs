using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Platform.Jobs;
using Platform.UnitTests.Control;
using Platform.Worker;
using Platform.Worker.Engines;
using Platform.Worker.Http;
using Platform.Worker.Models;

namespace Platform.UnitTests.Worker;

/// <summary>The OpenAI surface over a real server and a model that counts.</summary>
public sealed class CompletionTests : IAsyncLifetime, IModelManifests
{
    private readonly FakeTimeProvider _time = new();
    private readonly FakeLoader _loader;
    private WebApplication? _app;
    private HttpClient? _client;

    public CompletionTests() => _loader = new FakeLoader(_time);

    private HttpClient Client => _client!;

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<TimeProvider>(_time);
        builder.Services.AddSingleton(Options.Create(new WorkerOptions { Home = Path.GetTempPath(), DeviceCapacityBytes = 1000, MaxInFlight = 2 }));
        builder.Services.AddSingleton(services => new WorkerNode("worker-0", services.GetRequiredService<IOptions<WorkerOptions>>()));
        builder.Services.AddSingleton<NodeChanges>().AddSingleton<WorkerMetrics>().AddSingleton<ResidentModels>().AddSingleton<InFlightCalls>().AddSingleton<CompletionEndpoints>();
        builder.Services.AddSingleton<IModelLoader>(_loader).AddSingleton<IModelManifests>(this);
        _app = builder.Build();
        _app.UseMiddleware<ProblemMiddleware>();
        CompletionEndpoints.Map(_app);
        await _app.StartAsync();
        _client = new HttpClient { BaseAddress = new Uri(_app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()) };
    }

    public async ValueTask DisposeAsync()
    {
        _client?.Dispose();
        if (_app is not null)
        {
            await _app.DisposeAsync();
        }
    }

    [Fact]
    public async Task Completion_Whole_HasOpenAisShapeAndOurHeaders()
    {
        using var response = await PostAsync("v1/completions", """{"model":"tiny","prompt":"one two","max_tokens":3}""");
        var body = await JsonAsync(response);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.StartsWith("cmpl-", body.GetProperty("id").GetString(), StringComparison.Ordinal);
        Assert.Equal("text_completion", body.GetProperty("object").GetString());
        Assert.Equal(1893553445, body.GetProperty("created").GetInt64());
        Assert.Equal("tiny", body.GetProperty("model").GetString());
        Assert.Equal("""[{"index":0,"text":" 0 1 2","logprobs":null,"finish_reason":"length"}]""", body.GetProperty("choices").GetRawText());
        Assert.Equal("""{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}""", body.GetProperty("usage").GetRawText());
        Assert.Equal("process;dur=0, staged;dur=100, loaded;dur=10, firstToken;dur=0, objectStore;desc=\"400 bytes\", nvme;desc=\"7 bytes\", host;desc=\"0 bytes\"", Header(response, ServerTiming.Header));
        Assert.Equal(("400", "7", "worker-0"), (Header(response, Routes.ObjectStoreBytesHeader), Header(response, Routes.NvmeBytesHeader), Header(response, Routes.WorkerHeader)));
    }

    [Fact]
    public async Task Completion_Whole_SaysHowFastTheTokensCame()
    {
        _loader.Configure = engine => engine.BeforeToken = (_, i) =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(i == 0 ? 30 : 100));
            return Task.CompletedTask;
        };

        using var response = await PostAsync("v1/completions", """{"model":"tiny","prompt":"a","max_tokens":5}""");

        Assert.Contains("firstToken;dur=30,", Header(response, ServerTiming.Header), StringComparison.Ordinal);
        Assert.EndsWith(", tokens;desc=\"10 per second\"", Header(response, ServerTiming.Header), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stream_SaysAtItsEndHowFastTheTokensCame()
    {
        _loader.Configure = engine => engine.BeforeToken = (_, i) =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(i == 0 ? 30 : 100));
            return Task.CompletedTask;
        };

        using var response = await PostAsync("v1/completions", """{"model":"tiny","prompt":"a","max_tokens":5,"stream":true}""");

        Assert.EndsWith("\n\n: Server-Timing: tokens;desc=\"10 per second\"\n\ndata: [DONE]\n\n", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Completion_SecondCall_WaitedForNoBytes()
    {
        using var cold = await PostAsync("v1/completions", """{"model":"tiny","prompt":"a"}""");
        using var warm = await PostAsync("v1/completions", """{"model":"tiny","prompt":"a"}""");

        Assert.Equal("process;dur=0, staged;dur=0, loaded;dur=0, firstToken;dur=0, objectStore;desc=\"0 bytes\", nvme;desc=\"0 bytes\", host;desc=\"0 bytes\"", Header(warm, ServerTiming.Header));
        Assert.Equal(("0", "0"), (Header(warm, Routes.ObjectStoreBytesHeader), Header(warm, Routes.NvmeBytesHeader)));
    }

    [Fact]
    public async Task Completion_Streamed_IsOneChunkPerTokenThenTheReasonThenDone()
    {
        using var response = await PostAsync("v1/completions", """{"model":"tiny","prompt":"a","max_tokens":2,"stream":true,"stream_options":{"include_usage":true}}""");
        var events = await EventsAsync(response);

        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        Assert.Equal("[DONE]", events[^1]);
        var chunks = events[..^1].Select(chunk => JsonDocument.Parse(chunk).RootElement).ToArray();
        Assert.Equal(
            [
                """[{"index":0,"text":" 0","logprobs":null,"finish_reason":null}]""",
                """[{"index":0,"text":" 1","logprobs":null,"finish_reason":null}]""",
                """[{"index":0,"text":"","logprobs":null,"finish_reason":"length"}]""",
                "[]",
            ],
            chunks.Select(chunk => chunk.GetProperty("choices").GetRawText()));
        Assert.Equal(3, chunks[^1].GetProperty("usage").GetProperty("total_tokens").GetInt32());
        Assert.Single(chunks.Select(chunk => chunk.GetProperty("id").GetString()).Distinct());
    }

    [Fact]
    public async Task Chat_Whole_RendersTheTemplateAndAnswersAsAssistant()
    {
        using var response = await PostAsync("v1/chat/completions", """{"model":"tiny","messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"u"}]}],"max_completion_tokens":1}""");
        var body = await JsonAsync(response);

        Assert.Equal("chat.completion", body.GetProperty("object").GetString());
        Assert.Equal("""[{"index":0,"message":{"role":"assistant","content":" 0"},"logprobs":null,"finish_reason":"length"}]""", body.GetProperty("choices").GetRawText());
        Assert.Equal(4, body.GetProperty("usage").GetProperty("prompt_tokens").GetInt32());
    }

    [Fact]
    public async Task Chat_Streamed_BeginsWithTheRole()
    {
        using var response = await PostAsync("v1/chat/completions", """{"model":"tiny","messages":[{"role":"user","content":"u"}],"max_tokens":1,"stream":true}""");
        var events = await EventsAsync(response);

        Assert.Equal(
            ["""{"role":"assistant","content":""}""", """{"content":" 0"}""", "{}"],
            events[..^1].Select(chunk => JsonDocument.Parse(chunk).RootElement.GetProperty("choices")[0].GetProperty("delta").GetRawText()));
        Assert.Equal("chat.completion.chunk", JsonDocument.Parse(events[0]).RootElement.GetProperty("object").GetString());
    }

    [Fact]
    public async Task Completion_WithLogprobs_HasOneEntryPerToken()
    {
        using var response = await PostAsync("v1/completions", """{"model":"tiny","prompt":"a","max_tokens":2,"logprobs":2}""");
        var body = await JsonAsync(response);

        Assert.Equal(
            """{"tokens":[" 0"," 1"],"token_logprobs":[0,-0.25],"top_logprobs":[{" 0":0," 1":-1},{" 1":-0.25," 2":-1.25}],"text_offset":[0,2]}""",
            body.GetProperty("choices")[0].GetProperty("logprobs").GetRawText().Replace("-0,", "0,", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Completion_WithLogprobsOfNoOtherTokens_HasThoseOfItsOwnAlone()
    {
        using var response = await PostAsync("v1/completions", """{"model":"tiny","prompt":"a","max_tokens":2,"logprobs":0}""");

        Assert.Equal("""{"tokens":[" 0"," 1"],"token_logprobs":[-0,-0.25],"top_logprobs":null,"text_offset":[0,2]}""", (await JsonAsync(response)).GetProperty("choices")[0].GetProperty("logprobs").GetRawText());
    }

    [Theory]
    [InlineData(-1, "[0][1][2][]")]
    [InlineData(1, "[0][1 2][]")]
    [InlineData(2, "[0][1][2]")]
    public async Task Stream_WithLogprobs_TellsThemWithTheTextOfTheirTokens_AndTheRestAtTheEnd(int heldBack, string expected)
    {
        _loader.Configure = engine => engine.HoldsBack = i => i == heldBack;

        using var response = await PostAsync("v1/completions", """{"model":"tiny","prompt":"a","max_tokens":3,"logprobs":1,"stream":true}""");
        var logprobs = (await EventsAsync(response))[..^1].Select(chunk => JsonDocument.Parse(chunk).RootElement.GetProperty("choices")[0].GetProperty("logprobs")).ToList();

        Assert.Equal(expected, string.Concat(logprobs.Select(chunk => chunk.ValueKind == JsonValueKind.Null ? "[]" : $"[{string.Concat(chunk.GetProperty("tokens").EnumerateArray().Select(token => token.GetString())).Trim()}]")));
        Assert.Equal([0, 2, 4], logprobs.Where(chunk => chunk.ValueKind == JsonValueKind.Object).SelectMany(chunk => chunk.GetProperty("text_offset").EnumerateArray().Select(offset => offset.GetInt32())));
    }

    [Fact]
    public async Task Chat_WithLogprobs_HasOneEntryPerTokenWithItsBytes()
    {
        using var response = await PostAsync("v1/chat/completions", """{"model":"tiny","messages":[{"role":"user","content":"u"}],"max_tokens":2,"logprobs":true,"top_logprobs":1}""");
        var content = (await JsonAsync(response)).GetProperty("choices")[0].GetProperty("logprobs").GetProperty("content");

        Assert.Equal(2, content.GetArrayLength());
        Assert.Equal("""{"token":" 1","logprob":-0.25,"bytes":[32,49],"top_logprobs":[{"token":" 1","logprob":-0.25,"bytes":[32,49]}]}""", content[1].GetRawText());
    }

    [Theory]
    [InlineData("{", 400, ErrorCodes.InvalidJson)]
    [InlineData("null", 400, ErrorCodes.InvalidJson)]
    [InlineData("""{"model":"tiny","prompt":5}""", 400, ErrorCodes.InvalidRequest)]
    [InlineData("""{"model":"Not A Name","prompt":"a"}""", 400, ErrorCodes.InvalidRequest)]
    [InlineData("""{"model":"tiny","prompt":"a","n":2}""", 400, ErrorCodes.InvalidRequest)]
    [InlineData("""{"model":"tiny","prompt":"a","temperature":3}""", 400, ErrorCodes.InvalidRequest)]
    [InlineData("""{"model":"tiny","prompt":"a","logprobs":21}""", 400, ErrorCodes.InvalidRequest)]
    [InlineData("""{"model":"tiny","prompt":""}""", 400, ErrorCodes.PromptEmpty)]
    [InlineData("""{"model":"tiny","prompt":"a","max_tokens":20}""", 400, ErrorCodes.PromptTooLong)]
    [InlineData("""{"model":"tiny","prompt":"a","max_tokens":20,"stream":true}""", 400, ErrorCodes.PromptTooLong)]
    [InlineData("""{"model":"huge","prompt":"a"}""", 507, ErrorCodes.StorageFull)]
    [InlineData("""{"model":"none","prompt":"a"}""", 404, ErrorCodes.ModelNotFound)]
    public async Task Completion_BadRequest_IsAProblemWithACode(string request, int status, string code)
    {
        using var response = await PostAsync("v1/completions", request);
        var body = await JsonAsync(response);

        Assert.Equal((status, "application/problem+json", code), ((int)response.StatusCode, response.Content.Headers.ContentType!.MediaType, body.GetProperty("code").GetString()));
        Assert.Equal(code, body.GetProperty("error").GetProperty("code").GetString());
        Assert.NotEmpty(body.GetProperty("detail").GetString()!);
    }

    [Fact]
    public async Task Chat_ManyFaults_AreNamedAtOnce()
    {
        using var response = await PostAsync("v1/chat/completions", """{"model":"tiny","messages":[null,{"role":"cook","content":"a"},{"role":"user"},{"role":"user","content":[{"type":"image_url"}]}],"tools":[{}],"top_logprobs":3}""");
        var body = await JsonAsync(response);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal(["$.top_logprobs", "$.tools", "$.messages[0]", "$.messages[1].role", "$.messages[2].content", "$.messages[3].content[0]"], body.GetProperty("faults").EnumerateArray().Select(fault => fault.GetProperty("path").GetString()));
    }

    [Fact]
    public async Task Completion_ManyFaults_AreNamedAtOnce()
    {
        using var response = await PostAsync("v1/completions", """{"model":"","prompt":[],"n":2,"top_p":0,"stop":[""]}""");
        var body = await JsonAsync(response);

        Assert.Equal(["$.model", "$.n", "$.prompt", "$.top_p", "$.stop"], body.GetProperty("faults").EnumerateArray().Select(fault => fault.GetProperty("path").GetString()));
    }

    [Fact]
    public async Task Completion_MoreThanTheLimit_Is429WithRetryAfter()
    {
        var gate = new TaskCompletionSource();
        _loader.Configure = engine => engine.BeforeToken = (_, _) => gate.Task;
        var held = new[] { PostAsync("v1/completions", """{"model":"tiny","prompt":"a"}"""), PostAsync("v1/completions", """{"model":"tiny","prompt":"b"}""") };
        var calls = _app!.Services.GetRequiredService<InFlightCalls>();
        while (calls.Count < 2)
        {
            await Task.Yield();
        }

        using var refused = await PostAsync("v1/completions", """{"model":"tiny","prompt":"c"}""");
        gate.SetResult();
        var answers = await Task.WhenAll(held);

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal("1", Header(refused, "Retry-After"));
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
        Array.ForEach(answers, answer => answer.Dispose());
    }

    [Theory]
    [InlineData(42, "32")]
    [InlineData(5, "1")]
    [InlineData(null, "1")]
    public async Task Completion_MoreThanTheLimitOfAModelThatIsBeingLoaded_AreToldWhenItIsExpectedToBeReady(int? seconds, string retryAfter)
    {
        var gate = new TaskCompletionSource();
        _loader.Gate = gate.Task;
        _loader.Expected = seconds is { } expected ? TimeSpan.FromSeconds(expected) : null;
        var held = new[] { PostAsync("v1/completions", """{"model":"tiny","prompt":"a"}"""), PostAsync("v1/completions", """{"model":"tiny","prompt":"b"}""") };
        var models = _app!.Services.GetRequiredService<ResidentModels>();
        while (!models.IsLoading("tiny") || _app.Services.GetRequiredService<InFlightCalls>().Count < 2)
        {
            await Task.Yield();
        }

        _time.Advance(TimeSpan.FromSeconds(10));
        using var refused = await PostAsync("v1/completions", """{"model":"tiny","prompt":"c"}""");
        gate.SetResult();
        Array.ForEach(await Task.WhenAll(held), answer => answer.Dispose());

        Assert.Equal((HttpStatusCode.TooManyRequests, retryAfter), (refused.StatusCode, Header(refused, "Retry-After")));
        Assert.Equal(ErrorCodes.ModelLoading, (await JsonAsync(refused)).GetProperty("code").GetString());
    }

    [Fact]
    public async Task Completion_AThousandCallersOfOneColdModel_AreHeldToTheBound_TheRestAre429_AndItLoadsOnce()
    {
        var gate = new TaskCompletionSource();
        _loader.Gate = gate.Task;
        var refused = 0;

        // Two of the connections are held; the others carry the rest.
        using var handler = new SocketsHttpHandler { MaxConnectionsPerServer = 100, UseProxy = false };
        using var callers = new HttpClient(handler) { BaseAddress = Client.BaseAddress };
        var allOthers = new TaskCompletionSource();
        var calls = Enumerable.Range(0, 1000).Select(async _ =>
        {
            using var body = new StringContent("""{"model":"tiny","prompt":"a","max_tokens":1}""", Encoding.UTF8, "application/json");
            using var answer = await callers.PostAsync(new Uri("v1/completions", UriKind.Relative), body, TestContext.Current.CancellationToken);
            if (answer.StatusCode == HttpStatusCode.TooManyRequests && Header(answer, "Retry-After") == "1" && Interlocked.Increment(ref refused) == 998)
            {
                allOthers.SetResult();
            }

            return answer.StatusCode;
        }).ToArray();

        await allOthers.Task.WaitAsync(TestContext.Current.CancellationToken);
        gate.SetResult();
        var statuses = await Task.WhenAll(calls);

        Assert.Equal(2, statuses.Count(status => status == HttpStatusCode.OK));
        Assert.Single(_loader.Loads);
    }

    [Fact]
    public async Task Stream_ClientLeaves_TheGenerationEndsWithinAToken()
    {
        var made = 0;
        var left = new TaskCompletionSource();
        _loader.Configure = engine => engine.BeforeToken = async (_, i) =>
        {
            made = i;
            if (i == 2)
            {
                await left.Task;
            }
        };
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1/completions") { Content = new StringContent("""{"model":"tiny","prompt":"a","max_tokens":18,"stream":true}""", Encoding.UTF8, "application/json") };
        var response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        response.Dispose();

        // The engine waits in its third token: only the client's leaving ends the call.
        var calls = _app!.Services.GetRequiredService<InFlightCalls>();
        while (calls.Count > 0)
        {
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }

        Assert.Equal(2, made);
        left.SetResult();
    }

    [Fact]
    public async Task Stream_EngineFailsMidway_EndsWithAnErrorEvent()
    {
        _loader.Configure = engine => engine.BeforeToken = (_, i) => i == 1 ? throw new EngineException(ErrorCodes.Unavailable, "The model was unloaded.") : Task.CompletedTask;

        using var response = await PostAsync("v1/completions", """{"model":"tiny","prompt":"a","max_tokens":3,"stream":true}""");
        var events = await EventsAsync(response);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(ErrorCodes.Unavailable, JsonDocument.Parse(events[1]).RootElement.GetProperty("error").GetProperty("code").GetString());
        Assert.Equal("[DONE]", events[2]);
    }

    [Fact]
    public async Task Route_Unknown_IsAProblem()
    {
        using var response = await Client.GetAsync(new Uri("v2/nothing", UriKind.Relative), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Equal(ErrorCodes.RouteNotFound, (await JsonAsync(response)).GetProperty("code").GetString());
    }

    Task<ModelManifest> IModelManifests.FindAsync(HttpContext context, string model, CancellationToken cancellationToken) => model switch
    {
        "tiny" => Task.FromResult(ControlHarness.Manifest("tiny", 400)),
        "huge" => Task.FromResult(ControlHarness.Manifest("huge", 4000)),
        _ => throw new RequestException(ErrorCodes.ModelNotFound, $"Model '{model}' is not published."),
    };

    private Task<HttpResponseMessage> PostAsync(string path, string json) =>
        Client.PostAsync(new Uri(path, UriKind.Relative), new StringContent(json, Encoding.UTF8, "application/json"), TestContext.Current.CancellationToken);

    private static Task<JsonElement> JsonAsync(HttpResponseMessage response) => response.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);

    private static async Task<string[]> EventsAsync(HttpResponseMessage response) =>
        [.. (await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(line => line["data: ".Length..])];

    private static string Header(HttpResponseMessage response, string name) => string.Join(",", response.Headers.GetValues(name));
}
