using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Platform.Jobs;

namespace Platform.ConformanceTests.Functions;

/// <summary>The Open Inference Protocol v2 of the function app: metadata and health from control, calls dispatched as completions are.</summary>
public sealed class InferenceProtocolTests : PlatformFunctionsApp
{
    [Fact]
    public async Task Metadata_OfServerAndModel_DescribesWhatAClientNeeds()
    {
        Published();
        Sidecar.On("actors/ModelActor/none/method/Get", "null");
        await StartAsync();

        var server = (await Client.GetFromJsonAsync<JsonNode>("v2", Cancel))!;
        var model = (await Client.GetFromJsonAsync<JsonNode>("v2/models/m", Cancel))!;
        var version = (await Client.GetFromJsonAsync<JsonNode>("v2/models/m/versions/1", Cancel))!;
        using var unknown = await Client.GetAsync("v2/models/none", Cancel);
        using var old = await Client.GetAsync("v2/models/m/versions/7", Cancel);

        Assert.Equal(("platform", "binary_tensor_data"), (server["name"]!.ToString(), server["extensions"]![0]!.ToString()));
        Assert.Equal("""{"name":"m","versions":["1"],"platform":"platform_llama","inputs":[{"name":"text_input","datatype":"BYTES","shape":[-1]}],"outputs":[{"name":"text_output","datatype":"BYTES","shape":[-1]},{"name":"finish_reason","datatype":"BYTES","shape":[-1]},{"name":"completion_tokens","datatype":"INT32","shape":[-1]}]}""", model.ToJsonString());
        Assert.Equal(model.ToJsonString(), version.ToJsonString());
        Assert.Equal((404, "model-not-found"), await ErrorAsync(unknown));
        Assert.Equal((404, "model-not-found"), await ErrorAsync(old));
    }

    [Fact]
    public async Task Health_FollowsTheWorkers()
    {
        Published();
        Nodes();
        await StartAsync(("Router__TableRefresh", "00:00:00"), ("Router__TableStale", "00:00:00"));

        using var live = await Client.GetAsync("v2/health/live", Cancel);
        using var notReady = await Client.GetAsync("v2/health/ready", Cancel);
        using var modelNotReady = await Client.GetAsync("v2/models/m/ready", Cancel);
        Nodes(("worker-0", "Absent"));
        using var ready = await Client.GetAsync("v2/health/ready", Cancel);
        using var modelReady = await Client.GetAsync("v2/models/m/versions/1/ready", Cancel);

        Assert.Equal((200, 400, 400, 200, 200), ((int)live.StatusCode, (int)notReady.StatusCode, (int)modelNotReady.StatusCode, (int)ready.StatusCode, (int)modelReady.StatusCode));
        Assert.Equal("""{"name":"m","ready":true}""", await modelReady.Content.ReadAsStringAsync(Cancel));
    }

    [Theory]
    [InlineData("v2/models/m/infer", "infer")]
    [InlineData("v2/models/m/versions/1/infer", "infer")]
    [InlineData("v2/models/m/versions/1/generate", "generate")]
    public async Task Call_OfAReadyModel_GoesToItsWorkerAsItIs(string path, string verb)
    {
        Nodes(("worker-0", "Ready"), ("worker-1", "Absent"));
        string? seen = null;
        Sidecar.On($"invoke/worker-0/method/v2/models/m/{verb}", async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            seen = $"{context.Request.Headers[Routes.InferenceHeaderLength]} {await reader.ReadToEndAsync()}";
            context.Response.Headers[Routes.InferenceHeaderLength] = "2";
            await FakeSidecar.WriteAsync(context, "{}binary");
        });
        await StartAsync();

        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent("{}\u0001\u0000"u8.ToArray()) };
        request.Headers.Add(Routes.InferenceHeaderLength, "2");
        using var response = await Client.SendAsync(request, Cancel);

        Assert.Equal("{}binary", await response.Content.ReadAsStringAsync(Cancel));
        Assert.Equal(("2", "worker-0"), (response.Headers.GetValues(Routes.InferenceHeaderLength).Single(), response.Headers.GetValues(Routes.WorkerHeader).Single()));
        Assert.Equal("2 {}\u0001\u0000", seen);
    }

    [Fact]
    public async Task GenerateStream_IsPassedOnAsItComesAndEndsWithTheProtocolsErrorIfTheWorkerIsLost()
    {
        var go = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Nodes(("worker-0", "Ready"));
        Sidecar.On("invoke/worker-0/method/v2/models/m/generate_stream", async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync("data: one\n\n");
            await context.Response.Body.FlushAsync();
            await go.Task;
            context.Abort();
        });
        await StartAsync();

        using var request = new HttpRequestMessage(HttpMethod.Post, "v2/models/m/generate_stream") { Content = Json("""{"text_input":"a"}""") };
        using var response = await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancel));
        var first = await reader.ReadLineAsync(Cancel);
        go.SetResult();
        var rest = await reader.ReadToEndAsync(Cancel);

        Assert.Equal("data: one", first);
        Assert.Contains("data: {\"error\":\"worker-0 was lost", rest, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Call_ThatCannotBeServed_HasTheProtocolsError()
    {
        Nodes();
        Sidecar.On("actors/ModelActor/unknown/method/EnsureReplica", """{"reason":"not published"}""");
        Sidecar.On("actors/ModelActor/nowhere/method/EnsureReplica", """{"manifest":{"name":"nowhere","files":[]},"reason":"worker-0: full"}""");
        Sidecar.On("actors/ModelActor/away/method/EnsureReplica", """{"errorCode":"ERR_ACTOR_NO_ADDRESS","message":"no host"}""", 500);
        await StartAsync(("Router__MaxRequestBytes", "100"));
        (string Model, string Body, int Status, string Code)[] cases =
        [
            ("No+Name", "{}", 404, "model-not-found"),
            ("unknown", "{}", 404, "model-not-found"),
            ("nowhere", "{}", 503, "no-worker"),
            ("away", "{}", 503, "unavailable"),
            ("m", new string(' ', 101), 413, "body-too-large"),
        ];

        foreach (var (model, body, status, code) in cases)
        {
            using var response = await Client.PostAsync($"v2/models/{model}/infer", Json(body), Cancel);

            Assert.Equal((model, (status, code)), (model, await ErrorAsync(response)));
            Assert.Equal(status == 503, response.Headers.Contains("Retry-After"));
        }
    }

    [Fact]
    public async Task Index_OfTheRepository_ListsModelsAndThoseThatAreInMemory()
    {
        Sidecar.On("actors/ModelIndexActor/all/method/List", """[{"manifest":{"name":"a","files":[]},"nodes":{"worker-0":"Ready"}},{"manifest":{"name":"b","files":[]},"nodes":{}}]""");
        await StartAsync();

        using var all = await Client.PostAsync("v2/repository/index", null, Cancel);
        using var ready = await Client.PostAsync("v2/repository/index", Json("""{"ready":true}"""), Cancel);
        using var broken = await Client.PostAsync("v2/repository/index", Json("{"), Cancel);

        Assert.Equal(["a READY", "b UNAVAILABLE"], (await all.Content.ReadFromJsonAsync<JsonArray>(Cancel))!.Select(row => $"{row!["name"]} {row["state"]}"));
        Assert.Equal("""[{"name":"a","version":"1","state":"READY","reason":""}]""", await ready.Content.ReadAsStringAsync(Cancel));
        Assert.Equal((400, "invalid-json"), await ErrorAsync(broken));
    }

    private static async Task<(int Status, string Code)> ErrorAsync(HttpResponseMessage response)
    {
        var body = (await response.Content.ReadFromJsonAsync<JsonNode>(Cancel))!;
        Assert.NotEmpty(body["error"]!.GetValue<string>());
        return ((int)response.StatusCode, body["code"]!.ToString());
    }
}
