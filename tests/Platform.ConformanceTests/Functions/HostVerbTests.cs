using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;

namespace Platform.ConformanceTests.Functions;

/// <summary>The admin verbs by which deployments and platforms steer a host.</summary>
public sealed class HostVerbTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Drain_StopsTheTriggersUntilResume()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Queue("Work", "work").Raw("Pid", "pid").StartAsync();
        await app.SendAsync("work", "before");
        await app.InvocationsAsync("Work", 1);

        using var drain = await app.Client.PostAsync("admin/host/drain", null, Cancel);
        while ((await StatusAsync(app))["state"]!.ToString() != "Completed")
        {
            await Task.Delay(5, Cancel);
        }

        await app.SendAsync("work", "while drained");
        Assert.NotEmpty(await app.Client.GetStringAsync("api/pid", Cancel));
        Assert.Equal(1, app.Host.Queues.Open("work").Count);
        Assert.Single(await app.InvocationsAsync("Work", 1));
        using var resume = await app.Client.PostAsync("admin/host/resume", null, Cancel);

        Assert.Equal(2, (await app.InvocationsAsync("Work", 2)).Count);
        Assert.Equal((202, 200, "Disabled"), ((int)drain.StatusCode, (int)resume.StatusCode, (await StatusAsync(app))["state"]!.ToString()));
    }

    [Fact]
    public async Task State_Offline_Refuses503UntilRunning()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Pid", "pid").StartAsync();

        using var wrong = await app.Client.PutAsync("admin/host/state", Json("\"sleeping\""), Cancel);
        using var offline = await app.Client.PutAsync("admin/host/state", Json("\"offline\""), Cancel);
        await UntilAsync(app, HttpStatusCode.ServiceUnavailable);
        var state = (await app.Client.GetFromJsonAsync<JsonNode>("admin/host/status", Cancel))!["state"]!.ToString();
        using var ping = await app.Client.GetAsync("admin/host/ping", Cancel);
        using var running = await app.Client.PutAsync("admin/host/state", Json("\"running\""), Cancel);
        await UntilAsync(app, HttpStatusCode.OK);

        Assert.Equal((400, 202, "Offline", 200, 202), ((int)wrong.StatusCode, (int)offline.StatusCode, state, (int)ping.StatusCode, (int)running.StatusCode));
    }

    [Fact]
    public async Task Verbs_ThatOnlyAnswer_Answer()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Raw("Pid", "pid").StartAsync();

        var config = (await app.Client.GetFromJsonAsync<JsonNode>("admin/host/config", Cancel))!;
        using var sync = await app.Client.PostAsync("admin/host/synctriggers", null, Cancel);
        using var warmup = await app.Client.GetAsync("admin/warmup", Cancel);
        using var unknown = await app.Client.PostAsync("admin/host/explode", null, Cancel);

        Assert.Equal("2.0", config["version"]!.ToString());
        Assert.Equal((204, 200, 404), ((int)sync.StatusCode, (int)warmup.StatusCode, (int)unknown.StatusCode));
    }

    [Fact]
    public async Task Timer_ByHand_Runs()
    {
        TestFunctionApp.NeedsNode();
        await using var app = await new TestFunctionApp().Function("Tick", """{"bindings":[{"type":"timerTrigger","direction":"in","name":"timer","schedule":"0 0 0 1 1 *"}]}""").StartAsync();

        using var accepted = await app.Client.PostAsJsonAsync("admin/functions/Tick", new { input = "" }, Cancel);

        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        Assert.False((await app.InvocationsAsync("Tick", 1))[0]["envelope"]!["Data"]!["timer"]!["IsPastDue"]!.GetValue<bool>());
    }

    private static StringContent Json(string text) => new(text, Encoding.UTF8, "application/json");

    private static async Task<JsonNode> StatusAsync(TestFunctionApp app) => (await app.Client.GetFromJsonAsync<JsonNode>("admin/host/drain/status", Cancel))!;

    private static async Task UntilAsync(TestFunctionApp app, HttpStatusCode status)
    {
        while (true)
        {
            using var response = await app.Client.GetAsync("api/pid", Cancel);
            if (response.StatusCode == status)
            {
                return;
            }

            await Task.Delay(10, Cancel);
        }
    }
}
