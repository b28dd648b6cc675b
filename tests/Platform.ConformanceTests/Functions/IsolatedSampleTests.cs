using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;

namespace Platform.ConformanceTests.Functions;

/// <summary>Code of the isolated worker model: every shape of a function, and both ways to begin a program.</summary>
public sealed class IsolatedSampleTests : IsolatedSampleApp
{
    [Fact]
    public async Task HttpFunctions_OfEveryShape_Answer()
    {
        Assert.All(Host.Functions, function => Assert.Null(function.Error));

        Assert.Equal("Hello, Ada!", await Client.GetStringAsync("api/hello/Ada", Cancel));
        Assert.Equal("Hello, Bob!", await Client.GetStringAsync("api/hello?name=Bob", Cancel));
        using var missing = await Client.GetAsync("api/Missing", Cancel);
        Assert.Equal((HttpStatusCode.NotFound, "nothing for Missing"), (missing.StatusCode, (await missing.Content.ReadFromJsonAsync<JsonNode>(Cancel))!["error"]!.ToString()));

        using var request = new HttpRequestMessage(HttpMethod.Post, "api/Classic?q=7") { Content = new StringContent("body") };
        request.Headers.Add("X-Mine", "yes");
        using var classic = await Client.SendAsync(request, Cancel);
        Assert.Equal((HttpStatusCode.Created, "7:body", "yes", "text/plain; charset=utf-8"), (classic.StatusCode, await classic.Content.ReadAsStringAsync(Cancel), classic.Headers.GetValues("X-Seen").Single(), classic.Content.Headers.ContentType!.ToString()));

        using var json = await Client.PostAsync("api/json/5", Json("""{"item":"pen"}"""), Cancel);
        Assert.Equal(("""{"id":5,"item":"pen"}""", "application/json; charset=utf-8"), (await json.Content.ReadAsStringAsync(Cancel), json.Content.Headers.ContentType!.ToString()));

        using var body = await Client.PostAsync("api/Body", Json("""{"id":3,"item":"ink"}"""), Cancel);
        Assert.Equal("""{"id":3,"item":"ink"}""", await body.Content.ReadAsStringAsync(Cancel));
    }

    [Fact]
    public async Task Outputs_OfHttpFunctions_GoThroughTheQueueFunctions()
    {
        using var submitted = await Client.PostAsync("api/Submit", null, Cancel);
        using var classic = await Client.PostAsync("api/SubmitClassic", null, Cancel);

        Assert.Equal((HttpStatusCode.Accepted, "/api/status/1"), (submitted.StatusCode, submitted.Headers.Location!.OriginalString));
        Assert.Equal("done", await classic.Content.ReadAsStringAsync(Cancel));
        Assert.Equal(["attempt 1", "attempt 1", "first!", "second!"], await MessagesAsync("texts-done", 4));
        Assert.Equal(["""{"id":9,"item":"pen 1 has an id"}"""], await MessagesAsync("orders-done", 1));
    }

    [Fact]
    public async Task Bytes_OfAMessage_ArriveAsBytes()
    {
        await SendAsync("bytes", "plain"u8);

        Assert.Equal(["5 bytes, plain"], await MessagesAsync("bytes-done", 1));
    }

    [Fact]
    public async Task Program_ThatBeginsWithAHostBuilder_ServesTheSameFunctions()
    {
        var state = Directory.CreateTempSubdirectory("isolated-older-").FullName;
        await using (var older = await StartAsync(state, new Dictionary<string, string> { ["BEGIN_AS_BEFORE"] = "true" }))
        {
            Assert.Equal("Hello, Ada!", await Client.GetStringAsync($"http://127.0.0.1:{older.Port}/api/hello/Ada", Cancel));
            using var submitted = await Client.PostAsync($"http://127.0.0.1:{older.Port}/api/Submit", null, Cancel);
            Assert.Equal(HttpStatusCode.Accepted, submitted.StatusCode);
        }

        Directory.Delete(state, recursive: true);
    }

    [Fact]
    public async Task Timer_OnStartup_RunsWithItsRetryContext() => Assert.Equal(["past due False, retry 0 of 5"], await MessagesAsync("reports", 1));

    private static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");
}
