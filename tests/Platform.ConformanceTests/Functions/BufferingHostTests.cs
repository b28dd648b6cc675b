using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Platform.ConformanceTests.Functions;

/// <summary>The platform's own functions under hosts that do not stream: those that forward whole requests, and those that know envelopes alone.</summary>
public sealed class BufferingHostTests : PlatformFunctionsApp
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Call_ThatWouldStream_AnswersInOnePiece(bool forwarding)
    {
        Nodes(("worker-0", "Ready"));
        Sidecar.On("invoke/worker-0/method/v1/completions", async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync("data: one\n\n");
            await context.Response.Body.FlushAsync();
            await context.Response.WriteAsync("data: [DONE]\n\n");
        });
        await StartBufferingAsync(forwarding);

        using var response = await Client.PostAsync("v1/completions", Json("""{"model":"m","prompt":"a","stream":true}"""), Cancel);

        Assert.Equal((HttpStatusCode.OK, "text/event-stream"), (response.StatusCode, response.Content.Headers.ContentType!.MediaType));
        Assert.Equal("data: one\n\ndata: [DONE]\n\n", await response.Content.ReadAsStringAsync(Cancel));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Calls_OfEveryKind_AnswerAsTheyDoElsewhere(bool forwarding)
    {
        Published();
        Sidecar.On("actors/JobActor/none/method/Get", "null");
        Sidecar.On("actors/JobActor/j1/method/Submit", """{"outcome":"Created","status":{"id":"j1","spec":{"kind":"batch-infer"},"state":"Queued","submittedAt":"2026-01-01T00:00:00Z"}}""");
        await StartBufferingAsync(forwarding);

        using var metrics = await Client.GetAsync("metrics", Cancel);
        using var live = await Client.GetAsync("v2/health/live", Cancel);
        using var unknown = await Client.GetAsync("api/jobs/none", Cancel);
        using var refused = await Client.PostAsync("v1/completions", Json("{"), Cancel);
        using var job = await Client.PostAsync("api/jobs", Json("""{"id":"j1","kind":"batch-infer","model":"m","prompts":["a"]}"""), Cancel);

        Assert.Equal((HttpStatusCode.OK, "text/plain"), (metrics.StatusCode, metrics.Content.Headers.ContentType!.MediaType));
        Assert.Equal("""{"live":true}""", await live.Content.ReadAsStringAsync(Cancel));
        Assert.Equal((404, "job-not-found"), ((int)unknown.StatusCode, (await unknown.Content.ReadFromJsonAsync<JsonNode>(Cancel))!["code"]!.ToString()));
        Assert.Equal((400, "application/problem+json"), ((int)refused.StatusCode, refused.Content.Headers.ContentType!.MediaType));
        Assert.Equal((202, "/api/jobs/j1"), ((int)job.StatusCode, job.Headers.Location!.OriginalString));
    }

    private Task StartBufferingAsync(bool forwarding) => StartAsync(
        ("AzureFunctionsJobHost__customHandler__enableProxyingHttpRequest", "false"),
        ("AzureFunctionsJobHost__customHandler__enableForwardingHttpRequest", $"{forwarding}"));
}
