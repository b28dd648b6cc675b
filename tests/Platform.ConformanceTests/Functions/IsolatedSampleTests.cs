using System.Net;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Logging.Abstractions;
using Platform.Local.FunctionsHost;

namespace Platform.ConformanceTests.Functions;

/// <summary>An app written for the isolated worker model, compiled with its using lines changed (see <c>tests/Platform.IsolatedSample</c>), behind the embedded host.</summary>
public sealed class IsolatedSampleTests : IAsyncLifetime
{
    private static readonly string AppRoot = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "../../Platform.IsolatedSample/bin"));
    private readonly string _state = Directory.CreateTempSubdirectory("isolated-state-").FullName;
    private EmbeddedFunctionsHost _host = null!;
    private HttpClient _client = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _host = await EmbeddedFunctionsHost.StartAsync(new FunctionsHostOptions { AppRoot = AppRoot, StateFolder = _state, Port = 0, DrainTimeout = TimeSpan.FromSeconds(3) }, NullLoggerFactory.Instance, Cancel);
        _client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{_host.Port}/") };
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _host.DisposeAsync();
        Directory.Delete(_state, recursive: true);
    }

    [Fact]
    public async Task HttpFunctions_OfEveryShape_Answer()
    {
        Assert.All(_host.Functions, function => Assert.Null(function.Error));

        Assert.Equal("Hello, Ada!", await _client.GetStringAsync("api/hello/Ada", Cancel));
        Assert.Equal("Hello, Bob!", await _client.GetStringAsync("api/hello?name=Bob", Cancel));
        using var missing = await _client.GetAsync("api/Missing", Cancel);
        Assert.Equal((HttpStatusCode.NotFound, "nothing for Missing"), (missing.StatusCode, (await missing.Content.ReadFromJsonAsync<JsonNode>(Cancel))!["error"]!.ToString()));

        using var request = new HttpRequestMessage(HttpMethod.Post, "api/Classic?q=7") { Content = new StringContent("body") };
        request.Headers.Add("X-Mine", "yes");
        using var classic = await _client.SendAsync(request, Cancel);
        Assert.Equal((HttpStatusCode.Created, "7:body", "yes", "text/plain; charset=utf-8"), (classic.StatusCode, await classic.Content.ReadAsStringAsync(Cancel), classic.Headers.GetValues("X-Seen").Single(), classic.Content.Headers.ContentType!.ToString()));

        using var json = await _client.PostAsync("api/json/5", Json("""{"item":"pen"}"""), Cancel);
        Assert.Equal(("""{"id":5,"item":"pen"}""", "application/json; charset=utf-8"), (await json.Content.ReadAsStringAsync(Cancel), json.Content.Headers.ContentType!.ToString()));

        using var body = await _client.PostAsync("api/Body", Json("""{"id":3,"item":"ink"}"""), Cancel);
        Assert.Equal("""{"id":3,"item":"ink"}""", await body.Content.ReadAsStringAsync(Cancel));
    }

    [Fact]
    public async Task Outputs_OfHttpFunctions_GoThroughTheQueueFunctions()
    {
        using var submitted = await _client.PostAsync("api/Submit", null, Cancel);
        using var classic = await _client.PostAsync("api/SubmitClassic", null, Cancel);

        Assert.Equal((HttpStatusCode.Accepted, "/api/status/1"), (submitted.StatusCode, submitted.Headers.Location!.OriginalString));
        Assert.Equal("done", await classic.Content.ReadAsStringAsync(Cancel));
        Assert.Equal(["attempt 1", "attempt 1", "first!", "second!"], await MessagesAsync("texts-done", 4));
        Assert.Equal(["""{"id":9,"item":"pen 1 has an id"}"""], await MessagesAsync("orders-done", 1));
    }

    [Fact]
    public async Task Bytes_OfAMessage_ArriveAsBytes()
    {
        await _host.Queues.Open("bytes").SendAsync(Convert.ToBase64String("plain"u8), Cancel);

        Assert.Equal(["5 bytes, plain"], await MessagesAsync("bytes-done", 1));
    }

    [Fact]
    public async Task Program_ThatBeginsWithAHostBuilder_ServesTheSameFunctions()
    {
        var options = new FunctionsHostOptions { AppRoot = AppRoot, StateFolder = _state + "-older", Port = 0, Environment = new Dictionary<string, string> { ["BEGIN_AS_BEFORE"] = "true" }, DrainTimeout = TimeSpan.FromSeconds(3) };
        await using (var older = await EmbeddedFunctionsHost.StartAsync(options, NullLoggerFactory.Instance, Cancel))
        {
            Assert.Equal("Hello, Ada!", await _client.GetStringAsync($"http://127.0.0.1:{older.Port}/api/hello/Ada", Cancel));
            using var submitted = await _client.PostAsync($"http://127.0.0.1:{older.Port}/api/Submit", null, Cancel);
            Assert.Equal(HttpStatusCode.Accepted, submitted.StatusCode);
        }

        Directory.Delete(options.StateFolder, recursive: true);
    }

    [Fact]
    public async Task Timer_OnStartup_RunsWithItsRetryContext() => Assert.Equal(["past due False, retry 0 of 5"], await MessagesAsync("reports", 1));

    private static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");

    private static string ThisFile([CallerFilePath] string path = "") => path;

    /// <summary>Waits for so many messages, and gives their texts in order of the alphabet: the queue promises none.</summary>
    private async Task<IReadOnlyList<string>> MessagesAsync(string queue, int count)
    {
        while (_host.Queues.Open(queue).Count < count)
        {
            await Task.Delay(10, Cancel);
        }

        return [.. _host.Queues.Open(queue).Peek(100).Select(message => Encoding.UTF8.GetString(Convert.FromBase64String(message.Text))).Order(StringComparer.Ordinal)];
    }
}
