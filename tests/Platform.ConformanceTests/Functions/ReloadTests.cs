using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Platform.ConformanceTests.Functions;

/// <summary>Changes of the app's files while the host runs: loaded anew on the same port, and nothing that was asked meanwhile is lost.</summary>
public sealed class ReloadTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Files_Changed_AreServedOnTheSamePortByANewHandler()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Pid", "pid").StartAsync();
        var before = await app.Client.GetStringAsync("api/pid", Cancel);

        app.Raw("More", "more");
        app.HostJson["extensions"]!["http"]!["customHeaders"] = new JsonObject { ["X-New"] = "yes" };
        app.WriteHostJson();

        using var more = await UntilAsync(app, "api/more", response => response.StatusCode == HttpStatusCode.OK);
        Assert.Equal("yes", more.Headers.GetValues("X-New").Single());
        Assert.NotEqual(before, await app.Client.GetStringAsync("api/pid", Cancel));
        Assert.Contains(app.Log, line => line.Contains("loaded anew", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Settings_Changed_ReachTheHandler()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Env", "environment");
        var settings = Path.Combine(app.AppRoot, "local.settings.json");
        File.WriteAllText(settings, """{"IsEncrypted":false,"Values":{"COLOR":"red"}}""");
        await app.StartAsync();

        File.WriteAllText(settings, """{"IsEncrypted":false,"Values":{"COLOR":"green"}}""");

        using var changed = await UntilAsync(app, "api/environment", response => response.Content.ReadFromJsonAsync<JsonNode>(Cancel).Result!["variables"]!["COLOR"]!.ToString() == "green");
        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
    }

    [Fact]
    public async Task HostJson_Broken_IsTheStateErrorUntilItIsMended()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Pid", "pid").StartAsync();

        File.WriteAllText(Path.Combine(app.AppRoot, "host.json"), "{");
        using var broken = await UntilAsync(app, "api/pid", response => response.StatusCode == HttpStatusCode.ServiceUnavailable);
        var status = (await app.Client.GetFromJsonAsync<JsonNode>("admin/host/status", Cancel))!;
        app.WriteHostJson();
        using var mended = await UntilAsync(app, "api/pid", response => response.StatusCode == HttpStatusCode.OK);

        Assert.Equal("Error", status["state"]!.ToString());
        Assert.Contains("host.json", status["errors"]![0]!.ToString(), StringComparison.Ordinal);
        Assert.Equal("Running", (await app.Client.GetFromJsonAsync<JsonNode>("admin/host/status", Cancel))!["state"]!.ToString());
    }

    /// <summary>JSON that is not what these files hold: the host says so, and takes the next version of the file.</summary>
    [Theory]
    [InlineData("local.settings.json", "[]")]
    [InlineData("local.settings.json", """{"IsEncrypted":false,"Values":[]}""")]
    [InlineData("local.settings.json", """{"IsEncrypted":false,"Values":{"A":"\ud800"}}""")]
    [InlineData("host.json", "[]")]
    [InlineData("host.json", """{"version":"2.0","version":"2.0"}""")]
    [InlineData("host.json", """{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"\u0000"}}}""")]
    public async Task File_ThatIsNotFit_IsTheStateErrorUntilItIsMended(string file, string text)
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Pid", "pid");
        var settings = Path.Combine(app.AppRoot, "local.settings.json");
        File.WriteAllText(settings, """{"IsEncrypted":false}""");
        await app.StartAsync();

        File.WriteAllText(Path.Combine(app.AppRoot, file), text);
        using var broken = await UntilAsync(app, "api/pid", response => response.StatusCode == HttpStatusCode.ServiceUnavailable);
        var status = (await app.Client.GetFromJsonAsync<JsonNode>("admin/host/status", Cancel))!;
        app.WriteHostJson();
        File.WriteAllText(settings, """{"IsEncrypted":false}""");
        using var mended = await UntilAsync(app, "api/pid", response => response.StatusCode == HttpStatusCode.OK);

        Assert.Equal("Error", status["state"]!.ToString());
        Assert.Contains(file, status["errors"]![0]!.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Call_UnderWay_EndsOnTheOldHandlerAndOthersWaitForTheNew()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Slow", "slow").Raw("Pid", "pid").StartAsync();
        var before = await app.Client.GetStringAsync("api/pid", Cancel);
        var slow = app.Client.GetStringAsync("api/slow?ms=1000", Cancel);
        await UntilBusyAsync(app);

        using var restart = await app.Client.PostAsync("admin/host/restart", null, Cancel);
        var after = await app.Client.GetStringAsync("api/pid", Cancel);

        Assert.Equal(HttpStatusCode.Accepted, restart.StatusCode);
        Assert.Equal(before, await slow);
        while (after == before)
        {
            after = await app.Client.GetStringAsync("api/pid", Cancel);
        }
    }

    private static async Task<HttpResponseMessage> UntilAsync(TestFunctionApp app, string path, Func<HttpResponseMessage, bool> isThere)
    {
        while (true)
        {
            var response = await app.Client.GetAsync(path, Cancel);
            if (isThere(response))
            {
                return response;
            }

            response.Dispose();
            await Task.Delay(20, Cancel);
        }
    }

    private static async Task UntilBusyAsync(TestFunctionApp app)
    {
        while ((await app.Client.GetFromJsonAsync<JsonNode>("admin/host/drain/status", Cancel))!["outstandingInvocations"]!.GetValue<int>() == 0)
        {
            await Task.Delay(5, Cancel);
        }
    }
}
