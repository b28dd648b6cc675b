using System.Buffers.Binary;
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
using Platform.Worker.Http.InferenceProtocol;
using Platform.Worker.Models;

namespace Platform.UnitTests.Worker;

/// <summary>The Open Inference Protocol v2 over a real server and a model that counts.</summary>
public sealed class InferenceProtocolTests : IAsyncLifetime, IModelManifests
{
    private readonly FakeTimeProvider _time = new();
    private readonly FakeLoader _loader;
    private WebApplication? _app;
    private HttpClient? _client;

    public InferenceProtocolTests() => _loader = new FakeLoader(_time);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<TimeProvider>(_time);
        builder.Services.AddSingleton(Options.Create(new WorkerOptions { Home = Path.GetTempPath(), DeviceCapacityBytes = 1000, MaxInFlight = 2 }));
        builder.Services.AddSingleton(services => new WorkerNode("worker-0", services.GetRequiredService<IOptions<WorkerOptions>>()));
        builder.Services.AddSingleton<NodeChanges>().AddSingleton<WorkerMetrics>().AddSingleton<ResidentModels>().AddSingleton<InFlightCalls>().AddSingleton<InferenceEndpoints>();
        builder.Services.AddSingleton<IModelLoader>(_loader).AddSingleton<IModelManifests>(this);
        _app = builder.Build();
        _app.UseMiddleware<ProblemMiddleware>();
        InferenceEndpoints.Map(_app);
        await _app.StartAsync(Cancel);
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
    public async Task Infer_OfTwoPrompts_AnswersEveryOutputInTheirShape()
    {
        using var response = await PostAsync("v2/models/tiny/infer", """{"id":"call-7","parameters":{"max_tokens":2,"temperature":0},"inputs":[{"name":"text_input","shape":[2,1],"datatype":"BYTES","data":[["one"],["two words"]]}]}""");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("application/json", response.Content.Headers.ContentType!.MediaType);
        Assert.Equal(
            """{"model_name":"tiny","model_version":"1","id":"call-7","outputs":[{"name":"text_output","datatype":"BYTES","shape":[2,1],"data":[" 0 1"," 0 1"]},{"name":"finish_reason","datatype":"BYTES","shape":[2,1],"data":["length","length"]},{"name":"completion_tokens","datatype":"INT32","shape":[2,1],"data":[2,2]}]}""",
            await response.Content.ReadAsStringAsync(Cancel));
        Assert.Equal("process;dur=0, staged;dur=100, loaded;dur=10, firstToken;dur=0, objectStore;desc=\"400 bytes\", nvme;desc=\"7 bytes\", host;desc=\"0 bytes\"", Header(response, ServerTiming.Header));
        Assert.Equal(("400", "7", "worker-0"), (Header(response, Routes.ObjectStoreBytesHeader), Header(response, Routes.NvmeBytesHeader), Header(response, Routes.WorkerHeader)));
    }

    [Theory]
    [InlineData("infer", """{"parameters":{"max_tokens":4},"inputs":[{"name":"text_input","shape":[1],"datatype":"BYTES","data":["a"]}]}""")]
    [InlineData("generate", """{"text_input":"a","parameters":{"max_tokens":4}}""")]
    public async Task Call_SaysHowFastTheTokensCame(string verb, string request)
    {
        _loader.Configure = Slow;

        using var response = await PostAsync($"v2/models/tiny/{verb}", request);

        Assert.Contains("firstToken;dur=100,", Header(response, ServerTiming.Header), StringComparison.Ordinal);
        Assert.EndsWith(", tokens;desc=\"10 per second\"", Header(response, ServerTiming.Header), StringComparison.Ordinal);
    }

    [Fact]
    public async Task GenerateStream_SaysAtItsEndHowFastTheTokensCame()
    {
        _loader.Configure = Slow;

        using var response = await PostAsync("v2/models/tiny/generate_stream", """{"text_input":"a","parameters":{"max_tokens":4}}""");

        Assert.EndsWith("\n\n: Server-Timing: tokens;desc=\"10 per second\"\n\n", await response.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
    }

    private void Slow(FakeEngine engine) => engine.BeforeToken = (_, _) =>
    {
        _time.Advance(TimeSpan.FromMilliseconds(100));
        return Task.CompletedTask;
    };

    [Fact]
    public async Task Infer_WithNamedOutputs_AnswersThoseAlone()
    {
        using var response = await PostAsync("v2/models/tiny/infer", """{"parameters":{"max_tokens":1},"inputs":[{"name":"text_input","shape":[1],"datatype":"BYTES","data":["a"]}],"outputs":[{"name":"completion_tokens"}]}""");

        Assert.Equal("""{"model_name":"tiny","model_version":"1","outputs":[{"name":"completion_tokens","datatype":"INT32","shape":[1],"data":[1]}]}""", await response.Content.ReadAsStringAsync(Cancel));
    }

    [Fact]
    public async Task Infer_WithBinaryTensors_ReadsAndWritesThem()
    {
        var prompts = Elements("héllo", "b");
        var json = Encoding.UTF8.GetBytes($$$"""{"parameters":{"max_tokens":1,"binary_data_output":true},"inputs":[{"name":"text_input","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":{{{prompts.Length}}}}}],"outputs":[{"name":"text_output"},{"name":"completion_tokens"},{"name":"finish_reason","parameters":{"binary_data":false}}]}""");
        using var request = new HttpRequestMessage(HttpMethod.Post, "v2/models/tiny/infer") { Content = new ByteArrayContent([.. json, .. prompts]) };
        request.Headers.Add(Routes.InferenceHeaderLength, json.Length.ToString());

        using var response = await _client!.SendAsync(request, Cancel);
        var body = await response.Content.ReadAsByteArrayAsync(Cancel);
        var length = int.Parse(Header(response, Routes.InferenceHeaderLength));

        Assert.Equal("application/octet-stream", response.Content.Headers.ContentType!.MediaType);
        Assert.Equal(
            """{"model_name":"tiny","model_version":"1","outputs":[{"name":"text_output","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":12}},{"name":"completion_tokens","datatype":"INT32","shape":[2],"parameters":{"binary_data_size":8}},{"name":"finish_reason","datatype":"BYTES","shape":[2],"data":["length","length"]}]}""",
            Encoding.UTF8.GetString(body.AsSpan(0, length)));
        Assert.Equal([.. Elements(" 0", " 0"), 1, 0, 0, 0, 1, 0, 0, 0], body[length..]);
    }

    [Theory]
    [InlineData("{", 400, ErrorCodes.InvalidJson)]
    [InlineData("[]", 400, ErrorCodes.InvalidJson)]
    [InlineData("""{"inputs":[]}""", 400, ErrorCodes.InvalidRequest)]
    [InlineData("""{"inputs":[{"name":"prompt","shape":[1],"datatype":"BYTES","data":["a"]}]}""", 400, ErrorCodes.InvalidRequest)]
    [InlineData("""{"inputs":[{"name":"text_input","shape":[1],"datatype":"FP32","data":[1]}]}""", 400, ErrorCodes.InvalidRequest)]
    [InlineData("""{"inputs":[{"name":"text_input","shape":[2],"datatype":"BYTES","data":["a"]}]}""", 400, ErrorCodes.InvalidRequest)]
    [InlineData("""{"inputs":[{"name":"text_input","shape":[-1],"datatype":"BYTES","data":["a"]}]}""", 400, ErrorCodes.InvalidRequest)]
    [InlineData("""{"inputs":[{"name":"text_input","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":5}}]}""", 400, ErrorCodes.InvalidRequest)]
    [InlineData("""{"parameters":{"max_tokens":0},"inputs":[{"name":"text_input","shape":[1],"datatype":"BYTES","data":["a"]}]}""", 400, ErrorCodes.InvalidRequest)]
    [InlineData("""{"parameters":{"beams":4},"inputs":[{"name":"text_input","shape":[1],"datatype":"BYTES","data":["a"]}]}""", 400, ErrorCodes.InvalidRequest)]
    [InlineData("""{"inputs":[{"name":"text_input","shape":[1],"datatype":"BYTES","data":["a"]}],"outputs":[{"name":"logits"}]}""", 400, ErrorCodes.InvalidRequest)]
    [InlineData("""{"inputs":[{"name":"text_input","shape":[1],"datatype":"BYTES","data":[""]}]}""", 400, ErrorCodes.PromptEmpty)]
    [InlineData("""{"parameters":{"max_tokens":40},"inputs":[{"name":"text_input","shape":[1],"datatype":"BYTES","data":["a"]}]}""", 400, ErrorCodes.PromptTooLong)]
    public async Task Infer_OfABadRequest_HasTheProtocolsErrorWithOurCode(string request, int status, string code)
    {
        using var response = await PostAsync("v2/models/tiny/infer", request);
        var body = await response.Content.ReadFromJsonAsync<JsonElement>(Cancel);

        Assert.Equal((status, "application/json", code), ((int)response.StatusCode, response.Content.Headers.ContentType!.MediaType, body.GetProperty("code").GetString()));
        Assert.Equal(JsonValueKind.String, body.GetProperty("error").ValueKind);
    }

    [Theory]
    [InlineData("none", 404, ErrorCodes.ModelNotFound)]
    [InlineData("huge", 507, ErrorCodes.StorageFull)]
    public async Task Infer_OfAModelThatCannotServe_SaysWhy(string model, int status, string code)
    {
        using var response = await PostAsync($"v2/models/{model}/infer", """{"inputs":[{"name":"text_input","shape":[1],"datatype":"BYTES","data":["a"]}]}""");

        Assert.Equal((status, code), ((int)response.StatusCode, (await response.Content.ReadFromJsonAsync<JsonElement>(Cancel)).GetProperty("code").GetString()));
    }

    [Fact]
    public async Task Infer_WithOnePromptThatFails_FailsAsAWholeAndEndsTheOthers()
    {
        var others = new TaskCompletionSource();
        _loader.Configure = engine => engine.BeforeToken = (prompt, _) => prompt == "bad" ? throw new EngineException(ErrorCodes.Unavailable, "The model was unloaded.") : others.Task;

        using var response = await PostAsync("v2/models/tiny/infer", """{"inputs":[{"name":"text_input","shape":[2],"datatype":"BYTES","data":["good","bad"]}]}""");

        // Without the cancellation the good one would wait for ever.
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal("1", Header(response, "Retry-After"));
    }

    [Fact]
    public async Task Generate_WithParametersInEitherPlace_AnswersOneText()
    {
        using var response = await PostAsync("v2/models/tiny/generate", """{"id":"g","text_input":"a","max_tokens":3,"parameters":{"temperature":0,"stop":["x"]}}""");

        Assert.Equal("""{"id":"g","model_name":"tiny","model_version":"1","text_output":" 0 1 2","finish_reason":"length"}""", await response.Content.ReadAsStringAsync(Cancel));
    }

    [Fact]
    public async Task GenerateStream_OfAText_IsOneEventPerTokenTheLastWithTheReason()
    {
        using var response = await PostAsync("v2/models/tiny/generate_stream", """{"text_input":"a","parameters":{"max_tokens":2}}""");

        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        Assert.Equal(
            "data: {\"model_name\":\"tiny\",\"model_version\":\"1\",\"text_output\":\" 0\"}\n\ndata: {\"model_name\":\"tiny\",\"model_version\":\"1\",\"text_output\":\" 1\",\"finish_reason\":\"length\"}\n\n",
            await response.Content.ReadAsStringAsync(Cancel));
    }

    [Fact]
    public async Task GenerateStream_WhoseEngineFailsMidway_EndsWithAnErrorEvent()
    {
        _loader.Configure = engine => engine.BeforeToken = (_, i) => i == 1 ? throw new EngineException(ErrorCodes.Unavailable, "The model was unloaded.") : Task.CompletedTask;

        using var response = await PostAsync("v2/models/tiny/generate_stream", """{"text_input":"a","parameters":{"max_tokens":3}}""");

        Assert.EndsWith("data: {\"error\":\"The model was unloaded.\",\"code\":\"unavailable\"}\n\n", await response.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generate_OfABadRequest_NamesEveryFault()
    {
        using var response = await PostAsync("v2/models/tiny/generate", """{"text_input":5,"top_p":2,"parameters":{"beams":1}}""");
        var error = (await response.Content.ReadFromJsonAsync<JsonElement>(Cancel)).GetProperty("error").GetString()!;

        Assert.All(["$.text_input", "$.top_p", "$.parameters.beams"], path => Assert.Contains(path, error, StringComparison.Ordinal));
    }

    Task<ModelManifest> IModelManifests.FindAsync(HttpContext context, string model, CancellationToken cancellationToken) => model switch
    {
        "tiny" => Task.FromResult(ControlHarness.Manifest("tiny", 400)),
        "huge" => Task.FromResult(ControlHarness.Manifest("huge", 4000)),
        _ => throw new RequestException(ErrorCodes.ModelNotFound, $"Model '{model}' is not published."),
    };

    private static byte[] Elements(params string[] texts)
    {
        var bytes = new List<byte>();
        foreach (var text in texts.Select(Encoding.UTF8.GetBytes))
        {
            var length = new byte[4];
            BinaryPrimitives.WriteInt32LittleEndian(length, text.Length);
            bytes.AddRange([.. length, .. text]);
        }

        return [.. bytes];
    }

    private Task<HttpResponseMessage> PostAsync(string path, string json) => _client!.PostAsync(path, new StringContent(json, Encoding.UTF8, "application/json"), Cancel);

    private static string Header(HttpResponseMessage response, string name) => string.Join(",", response.Headers.GetValues(name));
}
