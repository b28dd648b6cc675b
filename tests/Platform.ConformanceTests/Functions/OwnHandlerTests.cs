using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Platform.ConformanceTests.Functions;

/// <summary>The checks that a handler has a part in, with handlers of our own: raw requests, streams, envelopes, failures, retries.</summary>
public sealed class OwnHandlerTests : IsolatedSampleApp
{
    [Fact]
    public async Task Request_PassedThrough_KeepsItsBytesStatusesAndRedirects()
    {
        var bytes = Enumerable.Range(0, 70_001).Select(i => (byte)(i * 7)).ToArray();
        using var echoed = await Client.PutAsync("api/Bytes", new ByteArrayContent(bytes), Cancel);
        using var moved = await Client.GetAsync("api/Moved", Cancel);
        using var thrown = await Client.GetAsync("api/Throws", Cancel);
        using var verb = await Client.GetAsync("api/Bytes", Cancel);

        Assert.Equal(bytes, await echoed.Content.ReadAsByteArrayAsync(Cancel));
        Assert.Equal((HttpStatusCode.Redirect, "/api/hello/Ada"), (moved.StatusCode, moved.Headers.Location!.OriginalString));
        Assert.Equal((HttpStatusCode.InternalServerError, HttpStatusCode.NotFound), (thrown.StatusCode, verb.StatusCode));
        Assert.DoesNotContain("on purpose", await thrown.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
    }

    [Fact]
    public async Task RouteValue_OfEachType_IsReadAndOneThatIsNoneIs400()
    {
        const string Id = "6f9619ff-8b86-d011-b42d-00c04fc964ff";
        using var wrong = await Client.GetAsync($"api/typed/TRUE/2.5/{Id}/2026-01-02/x/many", Cancel);

        Assert.Equal($"True 2.5 {Id} 2026-01-02 Friday 7", await Client.GetStringAsync($"api/typed/TRUE/2.5/{Id}/2026-01-02/friday/7", Cancel));
        Assert.Equal($"False 2.5 {Id} 2026-01-02 Friday ", await Client.GetStringAsync($"api/typed/false/2.5/{Id}/2026-01-02/friday", Cancel));
        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
        Assert.Contains("'day' is 'x'", (await wrong.Content.ReadFromJsonAsync<JsonNode>(Cancel))!["detail"]!.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Upload_ChunkedAndLarge_StreamsThrough()
    {
        const int Bytes = 100_000_000;
        using var request = new HttpRequestMessage(HttpMethod.Post, "api/Count") { Content = new StreamContent(new ZeroStream(Bytes)) };
        request.Headers.TransferEncodingChunked = true;

        using var response = await Client.SendAsync(request, Cancel);

        Assert.Equal($"{Bytes}", await response.Content.ReadAsStringAsync(Cancel));
    }

    [Fact]
    public async Task Events_OfAStream_ArriveBeforeTheNextIsWritten()
    {
        async Task AskAsync()
        {
            using var asked = await Client.PostAsync("api/NextEvent", null, Cancel);
            Assert.Equal(HttpStatusCode.NoContent, asked.StatusCode);
        }

        await AskAsync();
        using var response = await Client.GetAsync("api/Events", HttpCompletionOption.ResponseHeadersRead, Cancel);
        using var events = new StreamReader(await response.Content.ReadAsStreamAsync(Cancel));
        for (var i = 0; i < 10; i++)
        {
            Assert.Equal($"data: {i}", await events.ReadLineAsync(Cancel));
            Assert.Equal("", await events.ReadLineAsync(Cancel));
            await AskAsync();
        }

        Assert.Null(await events.ReadLineAsync(Cancel));
    }

    [Fact]
    public async Task Bytes_InAnEnvelope_ReachTheFunctionAsTheyWere()
    {
        using var response = await Client.PostAsync("api/SubmitBytes?tag=blue", new ByteArrayContent([200, 0, 255, 10]) { Headers = { ContentType = new("application/octet-stream") } }, Cancel);

        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal(["4 200 blue!", "attempt 1"], await MessagesAsync("texts-done", 2));
    }

    [Fact]
    public async Task Message_WhoseFunctionThrowsFiveTimes_IsPoisonAndNullIsNoMessage()
    {
        await SendAsync("failing", "bad"u8);
        await SendAsync("quiet", "nothing"u8);
        await SendAsync("quiet", "speak"u8);

        Assert.Equal(["bad"], await MessagesAsync("failing-poison", 1));
        Assert.Equal(["spoken"], await MessagesAsync("nothing", 1));
        while (Host.Queues.Open("failing").Count + Host.Queues.Open("quiet").Count > 0)
        {
            await Task.Delay(10, Cancel);
        }

        Assert.Equal(1, Host.Queues.Open("nothing").Count);
    }

    [Fact]
    public async Task Timer_ThatFails_IsRetriedAndKnowsHowOften() => Assert.Equal(["retry 2 of 2"], await MessagesAsync("stubborn", 1));
}

/// <summary>A route prefix that a setting changes: raw requests keep it, so the handler must know it as the host does.</summary>
public sealed class OwnHandlerPrefixTests : IsolatedSampleApp
{
    private protected override Dictionary<string, string> Settings => new() { ["AzureFunctionsJobHost__extensions__http__routePrefix"] = "other/prefix" };

    [Fact]
    public async Task Request_BelowThePrefixOfASetting_ReachesItsFunction()
    {
        Assert.Equal("Hello, Ada!", await Client.GetStringAsync("other/prefix/hello/Ada", Cancel));
        Assert.Equal(HttpStatusCode.NotFound, (await Client.GetAsync("api/hello/Ada", Cancel)).StatusCode);
    }
}

/// <summary>Check 19 with a handler of our own: a function that hangs costs the process.</summary>
public sealed class OwnHandlerTimeoutTests : IsolatedSampleApp
{
    // Long enough for a call that ends, and for the start of a new process, on a machine that is busy with other things.
    private protected override Dictionary<string, string> Settings => new() { ["AzureFunctionsJobHost__functionTimeout"] = "00:00:05" };

    [Fact]
    public async Task Function_ThatHangs_FailsAndANewProcessServes()
    {
        var before = await Client.GetStringAsync("api/Process", Cancel);

        using var response = await Client.GetAsync("api/Hangs", Cancel);

        Assert.Equal(HttpStatusCode.InternalServerError, response.StatusCode);
        Assert.NotEqual(before, await Client.GetStringAsync("api/Process", Cancel));
    }
}
