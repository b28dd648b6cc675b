using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Platform.Local;
using Platform.Local.Sidecar;

namespace Platform.ConformanceTests.Dapr;

/// <summary>Targets outside of Dapr, and what the sidecar's own port understands.</summary>
public sealed class EndpointTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task HttpEndpoint_ByNameOrAddress_IsCalledStraight()
    {
        var port = LoopbackPort.AnyFree();
        await using var cluster = await TestCluster.OpenAsync(TestCluster.Components + $$"""

            ---
            apiVersion: dapr.io/v1alpha1
            kind: HTTPEndpoint
            metadata: { name: outside }
            spec:
              baseUrl: http://127.0.0.1:{{port}}/base
              headers:
              - { name: x-key, value: "for {appID}" }
            """);
        await using var outside = new TestApp(await cluster.StartSidecarAsync("unused"), port, app => app.Run(context => context.Response.WriteAsync(
            $"{context.Request.Method} {context.Request.Path}{context.Request.QueryString} key={context.Request.Headers["x-key"]} caller={context.Request.Headers["dapr-caller-app-id"]} token={context.Request.Headers["dapr-api-token"]}", Stop)), null);
        await outside.StartAsync();
        using var dapr = await cluster.StartCallerAsync();
        (string, string)[] headers = [("x-key", "mine"), ("dapr-api-token", "secret")];

        await (await dapr.SendAsync(HttpMethod.Post, "v1.0/invoke/outside/method/a/b?q=1", Answers.Json("1"), headers)).IsAsync(HttpStatusCode.OK, "POST /base/a/b?q=1 key=for caller caller= token=");
        await (await dapr.SendAsync(HttpMethod.Get, $"v1.0/invoke/http%3A%2F%2F127.0.0.1%3A{port}/method/x", null, headers)).IsAsync(HttpStatusCode.OK, "GET /x key=mine caller= token=");
        await (await dapr.SendAsync(HttpMethod.Get, $"v1.0/invoke/http://127.0.0.1:{port}/method/x")).IsAsync(HttpStatusCode.OK, "GET /x key= caller= token=");
        var metadata = await (await dapr.SendAsync(HttpMethod.Get, "v1.0/metadata")).JsonAsync();
        Assert.Equal("outside", metadata.GetProperty("httpEndpoints")[0].GetProperty("name").GetString());
        await outside.StopAsync();
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/outside/method/x")).IsErrorAsync(500, "ERR_DIRECT_INVOKE");
    }

    [Fact]
    public async Task HttpEndpoint_WithAnAddressThatIsNone_IsRefusedWithFileAndLine()
    {
        await using var cluster = await TestCluster.OpenAsync("apiVersion: dapr.io/v1alpha1\nkind: HTTPEndpoint\nmetadata: { name: x }\nspec:\n  baseUrl: ftp://x\n");

        var e = await Assert.ThrowsAsync<SidecarException>(() => cluster.StartSidecarAsync("app"));

        Assert.Contains("all.yaml(5): baseUrl is 'ftp://x'", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Port_BothProtocols_AreUnderstood(string version)
    {
        await using var cluster = await TestCluster.OpenAsync();
        await cluster.StartAsync("callee", app => app.MapPost("/echo", async (HttpRequest request) => Results.Text(await new StreamReader(request.Body).ReadToEndAsync(Stop))));
        using var dapr = await cluster.StartCallerAsync();
        var body = new string('x', 100_000);
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1.0/invoke/callee/method/echo") { Version = new Version(version), VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = new StringContent(body) };

        using var answer = await dapr.SendAsync(request, Stop);

        Assert.Equal(version, answer.Version.ToString());
        Assert.Equal(body, await answer.TextAsync());
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task Port_AStreamOfUnknownLength_ReachesTheAppOverBothProtocols(string version)
    {
        await using var cluster = await TestCluster.OpenAsync();
        await cluster.StartAsync("callee", app => app.MapPost("/echo", async (HttpRequest request) => Results.Text(await new StreamReader(request.Body).ReadToEndAsync(Stop))));
        using var dapr = await cluster.StartCallerAsync();
        using var request = new HttpRequestMessage(HttpMethod.Post, "v1.0/invoke/callee/method/echo") { Version = new Version(version), VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = new Unmeasured("streamed") };

        using var answer = await dapr.SendAsync(request, Stop);

        await answer.IsAsync(HttpStatusCode.OK, "streamed");
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("POST")]
    public async Task Call_WithoutABody_KeepsTheTypeThatItNames(string verb)
    {
        var (cluster, callee) = (await TestCluster.OpenAsync(), new RecordingApp());
        await using var _ = cluster;
        await cluster.StartAsync("callee", callee.Map);
        using var dapr = await cluster.StartCallerAsync();
        using var nothing = new ByteArrayContent([]);
        nothing.Headers.ContentType = new("application/vnd.own+json");

        await dapr.SendAsync(new HttpMethod(verb), "v1.0/invoke/callee/method/x", nothing);

        var got = (await callee.UntilAsync("/x", 1))[0];
        Assert.Equal(("application/vnd.own+json", ""), (got.ContentType, got.Body));
    }

    [Fact]
    public async Task Errors_OfStateAndPubSub_HaveDaprsDetails()
    {
        await using var cluster = await TestCluster.OpenAsync();
        using var dapr = await cluster.StartCallerAsync();

        var unknown = await (await dapr.SendAsync(HttpMethod.Get, "v1.0/state/nowhere/k")).JsonAsync();
        var illegal = await (await dapr.SendAsync(HttpMethod.Get, "v1.0/state/statestore/a%7C%7Cb")).JsonAsync();
        var pubsub = await (await dapr.SendAsync(HttpMethod.Post, "v1.0/publish/nobody/t", Answers.Json("1"))).JsonAsync();
        var topic = await (await dapr.SendAsync(HttpMethod.Post, "v1.0/publish/pubsub/", Answers.Json("1"))).JsonAsync();

        Assert.Equal("DAPR_STATE_NOT_FOUND", unknown.GetProperty("details")[0].GetProperty("reason").GetString());
        Assert.Equal("dapr.io", unknown.GetProperty("details")[0].GetProperty("domain").GetString());
        Assert.Equal("caller", unknown.GetProperty("details")[0].GetProperty("metadata").GetProperty("appID").GetString());
        Assert.Equal("DAPR_STATE_ILLEGAL_KEY", illegal.GetProperty("details")[0].GetProperty("reason").GetString());
        Assert.Equal("a||b", illegal.GetProperty("details")[2].GetProperty("field_violations")[0].GetProperty("field").GetString());
        Assert.Equal("DAPR_PUBSUB_NOT_FOUND", pubsub.GetProperty("details")[0].GetProperty("reason").GetString());
        Assert.Equal(1, pubsub.GetProperty("details").GetArrayLength());
        var resource = topic.GetProperty("details")[1];
        Assert.Equal(("type.googleapis.com/google.rpc.ResourceInfo", "pubsub", "pubsub"), (resource.GetProperty("@type").GetString(), resource.GetProperty("resource_type").GetString(), resource.GetProperty("resource_name").GetString()));
    }

    [Fact]
    public async Task Trace_IsOnEveryAnswerButThatOfHealth_AndBrokenBaggageIsRefused()
    {
        await using var cluster = await TestCluster.OpenAsync();
        using var dapr = await cluster.StartCallerAsync();
        const string Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-";

        var continued = await dapr.SendAsync(HttpMethod.Get, "v1.0/metadata", null, ("traceparent", Trace + "00f067aa0ba902b7-01"), ("baggage", "user=1;p=2, other=a%20b"));
        var failed = await dapr.SendAsync(HttpMethod.Get, "v1.0/state/nowhere/k", null, ("traceparent", "not one"));
        var health = await dapr.SendAsync(HttpMethod.Get, "v1.0/healthz");

        Assert.Matches($"^{Trace}(?!00f067aa0ba902b7)[0-9a-f]{{16}}-01$", Assert.Single(continued.Headers.GetValues("traceparent")));
        Assert.Matches("^00-[0-9a-f]{32}-[0-9a-f]{16}-00$", Assert.Single(failed.Headers.GetValues("traceparent")));
        Assert.False(health.Headers.Contains("traceparent"));
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/metadata", null, ("baggage", "no value"))).IsAsync(HttpStatusCode.BadRequest);
    }

    /// <summary>A body of which nobody is told the length.</summary>
    private sealed class Unmeasured(string text) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => stream.WriteAsync(System.Text.Encoding.UTF8.GetBytes(text), Stop).AsTask();

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
