using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Platform.ConformanceTests.Functions;

/// <summary>Check 15: who gets in with which key, in the header and in the query.</summary>
public sealed class KeyTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Key_OfEachKind_OpensWhatItShould()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Open", "open").Raw("Locked", "locked", authLevel: "function").Raw("Other", "other", authLevel: "function").Raw("Root", "root", authLevel: "admin");
        app.EnforceKeys = true;
        await app.StartAsync();
        var file = JsonNode.Parse(File.ReadAllText(Path.Combine(app.State, "keys.json")))!;
        var master = file["MasterKey"]!.ToString();
        var host = file["FunctionKeys"]!["default"]!.ToString();
        var locked = await MakeKeyAsync(app, "Locked", master);
        var other = await MakeKeyAsync(app, "Other", master);

        var keys = new Dictionary<string, string?> { ["none"] = null, ["wrong"] = "wrong", ["function"] = locked, ["other function"] = other, ["host"] = host, ["master"] = master };
        var opens = new Dictionary<string, string[]>
        {
            ["open"] = ["none", "wrong", "function", "other function", "host", "master"],
            ["locked"] = ["function", "host", "master"],
            ["root"] = ["master"],
        };
        foreach (var (route, kinds) in opens)
        {
            foreach (var (kind, key) in keys)
            {
                var expected = kinds.Contains(kind) ? HttpStatusCode.OK : HttpStatusCode.Unauthorized;
                Assert.Equal((route, kind, expected), (route, kind, await CallAsync(app, route, header: key, code: null)));
                Assert.Equal((route, kind, expected), (route, kind, await CallAsync(app, route, header: null, code: key)));
            }
        }

        Assert.Equal(HttpStatusCode.Unauthorized, await CallAsync(app, "locked", header: "wrong", code: locked));
        Assert.Equal(HttpStatusCode.OK, await CallAsync(app, "locked", header: locked, code: "wrong"));
    }

    [Fact]
    public async Task Function_ThatSaysNothing_HasItsNameForRouteAllVerbsAndAsksForAKey()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Function("Echo", """{"bindings":[{"type":"httpTrigger","direction":"in","name":"req"},{"type":"http","direction":"out","name":"res"}]}""");
        app.EnforceKeys = true;
        await app.StartAsync();

        Assert.Equal(HttpStatusCode.Unauthorized, await CallAsync(app, "echo", null, null));
        Assert.Equal(HttpStatusCode.OK, await CallAsync(app, "echo", Master(app), null));
        Assert.Empty(app.Host.Routes[0].Methods);
    }

    [Fact]
    public async Task Function_Disabled_AnswersTheMasterKeyAlone()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Echo", "echo").With("AzureWebJobs.Echo.Disabled", "true").StartAsync();

        Assert.Equal(HttpStatusCode.NotFound, await CallAsync(app, "echo", null, null));
        Assert.Equal(HttpStatusCode.NotFound, await CallAsync(app, "echo", "wrong", null));
        Assert.Equal(HttpStatusCode.OK, await CallAsync(app, "echo", Master(app), null));
    }

    [Fact]
    public async Task Loopback_ByDefault_AsksForNoKey()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Root", "root", authLevel: "admin").StartAsync();

        Assert.Equal(HttpStatusCode.OK, await CallAsync(app, "root", null, null));
    }

    [Fact]
    public async Task Admin_WithoutTheMasterKey_Is401ExceptPing()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Root", "root");
        app.EnforceKeys = true;
        await app.StartAsync();

        using var status = await app.Client.GetAsync("admin/host/status", Cancel);
        using var ping = await app.Client.GetAsync("admin/host/ping", Cancel);

        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.OK), (status.StatusCode, ping.StatusCode));
    }

    [Fact]
    public async Task Keys_ThroughTheManagementApi_AreMadeReadChangedAndDeleted()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Root", "root").StartAsync();

        using var made = await app.Client.PutAsJsonAsync("admin/functions/Root/keys/mine", new { name = "mine", value = "abc" }, Cancel);
        using var changed = await app.Client.PutAsJsonAsync("admin/functions/Root/keys/mine", new { name = "mine", value = "def" }, Cancel);
        var listed = await app.Client.GetFromJsonAsync<JsonNode>("admin/functions/Root/keys", Cancel);
        using var deleted = await app.Client.DeleteAsync("admin/functions/Root/keys/mine", Cancel);
        using var gone = await app.Client.GetAsync("admin/functions/Root/keys/mine", Cancel);
        using var master = await app.Client.DeleteAsync("admin/host/keys/_master", Cancel);

        Assert.Equal((201, 200, 204, 404, 400), ((int)made.StatusCode, (int)changed.StatusCode, (int)deleted.StatusCode, (int)gone.StatusCode, (int)master.StatusCode));
        Assert.Equal("def", listed!["keys"]![0]!["value"]!.ToString());
    }

    [Theory]
    [InlineData("\"abc\"", 400)]
    [InlineData("[1]", 400)]
    [InlineData("{", 400)]
    [InlineData("null", 201)]
    [InlineData("""{"value":""}""", 201)]
    [InlineData("""{"value":"\ud800"}""", 201)]
    public async Task Key_OfABodyThatIsOdd_IsRefusedOrMade(string body, int status)
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Root", "root").StartAsync();

        using var made = await app.Client.PutAsync("admin/host/keys/mine", new StringContent(body), Cancel);
        using var read = await app.Client.GetAsync("admin/host/keys/mine", Cancel);

        Assert.Equal((status, status == 201 ? 200 : 404), ((int)made.StatusCode, (int)read.StatusCode));
    }

    private static string Master(TestFunctionApp app) => JsonNode.Parse(File.ReadAllText(Path.Combine(app.State, "keys.json")))!["MasterKey"]!.ToString();

    private static async Task<string> MakeKeyAsync(TestFunctionApp app, string function, string master)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"admin/functions/{function}/keys/mine");
        request.Headers.Add("x-functions-key", master);
        using var response = await app.Client.SendAsync(request, Cancel);
        return (await response.Content.ReadFromJsonAsync<JsonElement>(Cancel)).GetProperty("value").GetString()!;
    }

    private static async Task<HttpStatusCode> CallAsync(TestFunctionApp app, string route, string? header, string? code)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"api/{route}" + (code is null ? "" : $"?code={code}"));
        if (header is not null)
        {
            request.Headers.Add("x-functions-key", header);
        }

        using var response = await app.Client.SendAsync(request, Cancel);
        if (response.StatusCode == HttpStatusCode.Unauthorized)
        {
            Assert.Empty(await response.Content.ReadAsByteArrayAsync(Cancel));
        }

        return response.StatusCode;
    }
}
