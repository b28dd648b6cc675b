using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Platform.ConformanceTests.Dapr;

/// <summary>Policies of Resiliency resources on invocation.</summary>
public sealed class ResiliencyTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("", 404, 4)]
    [InlineData("", 400, 4)]
    [InlineData("""matching: { httpStatusCodes: "429,500-599" }""", 404, 1)]
    [InlineData("""matching: { httpStatusCodes: "429,500-599" }""", 503, 4)]
    public async Task Retry_TakesEveryFailedStatusUnlessItIsNarrowed(string matching, int status, int calls)
    {
        var count = 0;
        await using var cluster = await TestCluster.OpenAsync(Resource($"retries: {{ quick: {{ policy: constant, duration: 5ms, maxRetries: 3{(matching.Length > 0 ? ", " + matching : "")} }} }}", "retry: quick"));
        await cluster.StartAsync("callee", app => app.MapPost("/x", async (HttpContext context) =>
        {
            Interlocked.Increment(ref count);
            context.Response.StatusCode = status;
            await context.Response.WriteAsync(await new StreamReader(context.Request.Body).ReadToEndAsync(Stop), Stop);
        }));
        using var dapr = await cluster.StartCallerAsync();

        var answer = await dapr.SendAsync(HttpMethod.Post, "v1.0/invoke/callee/method/x", new StringContent("kept"));

        Assert.Equal((status, "kept", calls), ((int)answer.StatusCode, await answer.TextAsync(), count));
    }

    [Fact]
    public async Task Timeout_IsADirectInvokeError()
    {
        await using var cluster = await TestCluster.OpenAsync(Resource("timeouts: { short: 50ms }", "timeout: short"));
        await cluster.StartAsync("callee", app => app.MapGet("/x", (HttpContext context) => Task.Delay(Timeout.Infinite, context.RequestAborted)));
        using var dapr = await cluster.StartCallerAsync();

        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/callee/method/x")).IsErrorAsync(500, "ERR_DIRECT_INVOKE");
    }

    [Fact]
    public async Task Breaker_OpensAndLetsOneTryThrough()
    {
        var count = 0;
        var status = 500;
        await using var cluster = await TestCluster.OpenAsync(Resource("""circuitBreakers: { strict: { timeout: 300ms, trip: "consecutiveFailures >= 2" } }""", "circuitBreaker: strict"));
        await cluster.StartAsync("callee", app => app.MapGet("/x", () =>
        {
            Interlocked.Increment(ref count);
            return Results.StatusCode(status);
        }));
        using var dapr = await cluster.StartCallerAsync();
        const string Call = "v1.0/invoke/callee/method/x";

        await (await dapr.SendAsync(HttpMethod.Get, Call)).IsAsync(HttpStatusCode.InternalServerError, "");
        await (await dapr.SendAsync(HttpMethod.Get, Call)).IsAsync(HttpStatusCode.InternalServerError, "");
        await (await dapr.SendAsync(HttpMethod.Get, Call)).IsErrorAsync(500, "ERR_DIRECT_INVOKE");
        Assert.Equal(2, count);

        status = 200;
        await Task.Delay(350, Stop); // The breaker's own clock.
        await (await dapr.SendAsync(HttpMethod.Get, Call)).IsAsync(HttpStatusCode.OK);
        await (await dapr.SendAsync(HttpMethod.Get, Call)).IsAsync(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Target_WithAnUnknownPolicy_IsRefusedWithFileAndLine()
    {
        await using var cluster = await TestCluster.OpenAsync(Resource("timeouts: { short: 50ms }", "retry: nothing"));

        var e = await Assert.ThrowsAsync<Platform.Local.Sidecar.SidecarException>(() => cluster.StartSidecarAsync("app"));

        Assert.Contains("all.yaml(", e.Message, StringComparison.Ordinal);
        Assert.Contains("'nothing'", e.Message, StringComparison.Ordinal);
    }

    private static string Resource(string policies, string target) => $$"""
        apiVersion: dapr.io/v1alpha1
        kind: Resiliency
        metadata: { name: resiliency }
        spec:
          policies:
            {{policies}}
          targets:
            apps:
              callee: { {{target}} }
        """;
}
