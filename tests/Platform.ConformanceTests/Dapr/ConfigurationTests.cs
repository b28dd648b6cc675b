using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Platform.Local.Sidecar;

namespace Platform.ConformanceTests.Dapr;

/// <summary>The Configuration resource: what it opens, closes, allows and denies, and what of it is refused.</summary>
public sealed class ConfigurationTests : IDisposable
{
    private readonly string _file = Path.Combine(Directory.CreateTempSubdirectory("configuration-").FullName, "config.yaml");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(_file)!, recursive: true);

    [Theory]
    [InlineData("spec: [1", "config.yaml(", "not YAML")]
    [InlineData("apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: x }\n", "config.yaml(1)", "no document of kind Configuration")]
    [InlineData("apiVersion: dapr.io/v1alpha1\nkind: Config\n", "config.yaml(2)", "kind 'Config' is not known")]
    [InlineData("apiVersion: dapr.io/v1alpha1\nkind: Configuration\nspec:\n  httpPipeline:\n    handlers:\n    - { name: upper, type: middleware.http.uppercase }\n", "config.yaml(6)", "middleware.http.uppercase")]
    [InlineData("apiVersion: dapr.io/v1alpha1\nkind: Configuration\nspec:\n  api:\n    denied:\n    - { name: states, version: v1 }\n", "config.yaml(6)", "'states' is no part of the API")]
    [InlineData("apiVersion: dapr.io/v1alpha1\nkind: Configuration\nspec:\n  accessControl:\n    defaultAction: perhaps\n", "config.yaml(5)", "expected allow or deny")]
    [InlineData("apiVersion: dapr.io/v1alpha1\nkind: Configuration\nspec: { components: { deny: [state.redis/v1] } }\n", "all.yaml(5)", "components.deny")]
    [InlineData("apiVersion: dapr.io/v1alpha1\nkind: Configuration\nspec:\n  accessControl:\n    policies:\n    - { appId: a, namespace: default }\n", "config.yaml(6)", "'trustDomain' is missing")]
    [InlineData("apiVersion: dapr.io/v1alpha1\nkind: Configuration\nspec:\n  accessControl:\n    policies:\n    - { appId: a, trustDomain: public }\n", "config.yaml(6)", "'namespace' is missing")]
    public async Task File_ThatCannotBeHonoured_IsAnErrorWithFileAndLine(string yaml, string where, string why)
    {
        await using var cluster = await TestCluster.OpenAsync();
        await File.WriteAllTextAsync(_file, yaml, Stop);

        var e = await Assert.ThrowsAsync<SidecarException>(() => cluster.StartSidecarAsync("app", change: WithConfiguration));

        Assert.Contains(where, e.Message, StringComparison.Ordinal);
        Assert.Contains(why, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("allowed: [{ name: state, version: v1.0 }, { name: state, version: v1, protocol: grpc }]", true, false, false)]
    [InlineData("denied: [{ name: state, version: v1 }]", false, true, true)]
    [InlineData("allowed: [{ name: invoke, version: v1 }]", false, false, true)]
    public async Task Api_ClosedParts_AreLikeUnknownRoutes(string api, bool state, bool publish, bool invoke)
    {
        await using var cluster = await TestCluster.OpenAsync();
        await File.WriteAllTextAsync(_file, $"apiVersion: dapr.io/v1alpha1\nkind: Configuration\nspec:\n  api:\n    {api}\n", Stop);
        await cluster.StartAsync("callee", app => app.MapGet("/x", () => "ok"));
        using var dapr = await cluster.StartCallerAsync(change: WithConfiguration);

        await CheckAsync(state, await dapr.SendAsync(HttpMethod.Get, "v1.0/state/statestore/k"));
        await CheckAsync(publish, await dapr.SendAsync(HttpMethod.Post, "v1.0/publish/pubsub/t", Answers.Json("1")));
        await CheckAsync(invoke, await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/callee/method/x"));
        await (await dapr.SendAsync(HttpMethod.Get, "v1.0/healthz")).IsAsync(HttpStatusCode.NoContent);

        static Task CheckAsync(bool isOpen, HttpResponseMessage answer) => isOpen ? Task.FromResult(answer.EnsureSuccessStatusCode()) : answer.IsErrorAsync(404, "ERR_DIRECT_INVOKE");
    }

    [Fact]
    public async Task AccessControl_OfTheCallee_DecidesByCallerPathAndVerb()
    {
        await using var cluster = await TestCluster.OpenAsync();
        await File.WriteAllTextAsync(_file, """
            apiVersion: dapr.io/v1alpha1
            kind: Configuration
            spec:
              accessControl:
                defaultAction: deny
                policies:
                - appId: friend
                  trustDomain: public
                  namespace: default
                  defaultAction: deny
                  operations:
                  - { name: /open, httpVerb: [GET], action: allow }
                  - { name: /orders/secret, httpVerb: ['*'], action: deny }
                  - { name: /orders/*, httpVerb: ['*'], action: allow }
                  - { name: /orders/secret, httpVerb: ['*'], action: allow }
                  - { name: /v*/models/**, httpVerb: [GET], action: allow }
                  - { name: Shout, httpVerb: [GET], action: allow }
                - { appId: admin, trustDomain: public, namespace: default, defaultAction: allow, operations: [{ name: /closed, httpVerb: ['*'], action: deny }] }
                - { appId: foreigner, trustDomain: public, defaultAction: allow, namespace: elsewhere }
                - { appId: stranger, trustDomain: elsewhere, defaultAction: allow, namespace: default }
            """, Stop);
        var callee = await cluster.StartAsync("callee", app => app.Run(context => context.Response.WriteAsync("in", Stop)), change: WithConfiguration);
        using var friend = await cluster.StartCallerAsync("friend");
        using var admin = await cluster.StartCallerAsync("admin");
        using var foreigner = await cluster.StartCallerAsync("foreigner");
        using var stranger = await cluster.StartCallerAsync("stranger");

        await AllowsAsync(friend, HttpMethod.Get, "open", true);
        await AllowsAsync(friend, HttpMethod.Post, "open", false);
        await AllowsAsync(friend, HttpMethod.Get, "open/below", true); // As daprd: an operation is a prefix.
        await AllowsAsync(friend, HttpMethod.Get, "opened", false);
        await AllowsAsync(friend, HttpMethod.Post, "orders/7", true);
        await AllowsAsync(friend, HttpMethod.Post, "orders", true); // A star also stands for nothing,
        await AllowsAsync(friend, HttpMethod.Post, "orders/7/lines", false); // but for no more than one segment.
        await AllowsAsync(friend, HttpMethod.Post, "orders/secret", false); // What was written first wins.
        await AllowsAsync(friend, HttpMethod.Post, "orders/x/../secret", false);
        await AllowsAsync(friend, HttpMethod.Post, "Orders/SECRET", false);
        await AllowsAsync(friend, HttpMethod.Post, "orders%2Fsecret", false);
        await AllowsAsync(friend, HttpMethod.Post, "orders/%73ecret", false);
        await AllowsAsync(friend, HttpMethod.Get, "v1/models/a/b", true);
        await AllowsAsync(friend, HttpMethod.Get, "v/models/a", true);
        await AllowsAsync(friend, HttpMethod.Get, "w1/models/a", false);
        await AllowsAsync(friend, HttpMethod.Get, "sHOUT", true);
        await AllowsAsync(friend, HttpMethod.Get, "other", false);
        await AllowsAsync(admin, HttpMethod.Get, "other", true);
        await AllowsAsync(admin, HttpMethod.Get, "CLOSED", false);
        await AllowsAsync(admin, HttpMethod.Get, "closed/", false);
        await AllowsAsync(admin, HttpMethod.Get, "x/..//closed", false);
        await AllowsAsync(foreigner, HttpMethod.Get, "open", false);
        await AllowsAsync(stranger, HttpMethod.Get, "open", false);
        await AllowsAsync(callee.Client, HttpMethod.Get, "anything", true);

        static async Task AllowsAsync(HttpClient caller, HttpMethod verb, string path, bool isAllowed)
        {
            var request = new HttpRequestMessage(verb, new Uri($"{caller.BaseAddress}v1.0/invoke/callee/method/{path}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
            request.Headers.Add("dapr-caller-app-id", "admin"); // A caller does not choose who it is.
            using var answer = await caller.SendAsync(request, Stop);
            await (isAllowed ? answer.IsAsync(HttpStatusCode.OK, "in") : answer.IsErrorAsync(403, "ERR_DIRECT_INVOKE"));
        }
    }

    [Theory]
    [InlineData("{}", true)]
    [InlineData("{ policies: [] }", true)]
    [InlineData("{ trustDomain: public, policies: [] }", true)]
    [InlineData("{ trustDomain: public }", false)]
    [InlineData("{ policies: [{ appId: other, trustDomain: public, namespace: default }] }", false)]
    [InlineData("{ defaultAction: Allow, policies: [{ appId: other, trustDomain: public, namespace: default }] }", true)]
    public async Task AccessControl_WithoutAnActionOfItsOwn_AllowsOrDeniesAsDaprdDoes(string access, bool isAllowed)
    {
        await using var cluster = await TestCluster.OpenAsync();
        await File.WriteAllTextAsync(_file, $"apiVersion: dapr.io/v1alpha1\nkind: Configuration\nspec:\n  accessControl: {access}\n", Stop);
        await cluster.StartAsync("callee", app => app.Run(context => context.Response.WriteAsync("in", Stop)), change: WithConfiguration);
        using var dapr = await cluster.StartCallerAsync();

        Assert.Equal(isAllowed ? HttpStatusCode.OK : HttpStatusCode.Forbidden, (await dapr.SendAsync(HttpMethod.Get, "v1.0/invoke/callee/method/x")).StatusCode);
    }

    private SidecarOptions WithConfiguration(SidecarOptions options) => options with { ConfigPath = _file };
}
