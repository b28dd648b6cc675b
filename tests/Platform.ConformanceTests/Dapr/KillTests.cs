using System.Collections.Concurrent;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Platform.Local;

namespace Platform.ConformanceTests.Dapr;

/// <summary>A sidecar process that is killed with SIGKILL in the middle of its work: whatever it acknowledged is there when it is back.</summary>
public sealed class KillTests : IAsyncLifetime
{
    private readonly string _home = Directory.CreateTempSubdirectory("sidecar-").FullName;
    private readonly int _appPort = LoopbackPort.AnyFree();
    private readonly ConcurrentDictionary<int, int> _delivered = new();
    private readonly ConcurrentDictionary<string, int> _reminded = new();
    private WebApplication? _app;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    private string Resources => Path.Combine(_home, "components");

    public async ValueTask InitializeAsync()
    {
        Directory.CreateDirectory(Resources);
        await File.WriteAllTextAsync(Path.Combine(Resources, "all.yaml"), TestCluster.Components);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{_appPort}");
        _app = builder.Build();
        _app.MapGet("/dapr/config", () => Results.Text("""{"entities":["Sleeper"]}""", "application/json"));
        _app.MapGet("/dapr/subscribe", () => Results.Text("""[{"pubsubname":"pubsub","topic":"t","route":"/t"}]""", "application/json"));
        _app.MapPost("/t", async (HttpContext context) =>
        {
            using var body = await JsonDocument.ParseAsync(context.Request.Body);
            _delivered.AddOrUpdate(body.RootElement.GetProperty("data").GetInt32(), 1, (_, count) => count + 1);
        });
        _app.MapPut("/actors/Sleeper/{id}/method/remind/{name}", (string id, string name) => { _reminded.AddOrUpdate(id, 1, (_, count) => count + 1); });
        _app.MapPut("/actors/Sleeper/{id}/method/{name}", (string id) => Results.Ok());
        _app.MapDelete("/actors/Sleeper/{id}", (string id) => Results.Ok());
        _app.MapGet("/who", (HttpContext context) => context.Request.Headers["dapr-caller-app-id"].ToString());
        await _app.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(0);
        await _app!.StopAsync(now.Token);
        await _app.DisposeAsync();
        Directory.Delete(_home, recursive: true);
    }

    [Fact]
    public async Task Sidecar_KilledUnderLoad_KeepsWhatItAcknowledged()
    {
        var saved = new ConcurrentBag<int>();
        var published = new ConcurrentBag<int>();
        var reminders = new ConcurrentBag<int>();
        using (var first = await SidecarProcess.StartAsync("app", _appPort, _home, Resources))
        {
            await first.UntilReadyAsync();
            var writers = Enumerable.Range(0, 8).Select(writer => Task.Run(() => WriteAsync(first.Client, writer, saved, published, reminders), Stop)).ToList();
            while (saved.Count < 150 || published.Count < 150 || reminders.Count < 150)
            {
                await Task.Delay(5, Stop);
            }

            first.Kill();
            await Task.WhenAll(writers);
        }

        using var second = await SidecarProcess.StartAsync("app", _appPort, _home, Resources);
        await second.UntilReadyAsync();

        foreach (var i in saved)
        {
            // Both keys of a transaction, or neither.
            await (await second.Client.SendAsync(HttpMethod.Get, $"v1.0/state/statestore/a{i}")).IsAsync(HttpStatusCode.OK, i.ToString());
            await (await second.Client.SendAsync(HttpMethod.Get, $"v1.0/state/statestore/b{i}")).IsAsync(HttpStatusCode.OK, i.ToString());
        }

        while (published.Any(i => !_delivered.ContainsKey(i)) || reminders.Any(i => !_reminded.ContainsKey(i.ToString())))
        {
            await Task.Delay(20, Stop);
        }
    }

    [Theory]
    [InlineData("", 0)]
    [InlineData("true", 1)]
    public async Task Shutdown_OfAProcessOfItsOwn_EndsItAtOnceIfItIsForced(string force, int exitCode)
    {
        await using var cluster = await TestCluster.OpenAsync();
        using var sidecar = await SidecarProcess.StartAsync("alone", null, Path.Combine(cluster.ResourcesFolder, "home"), cluster.ResourcesFolder);
        await sidecar.Client.SendAsync(HttpMethod.Post, "v1.0/state/statestore", Answers.Json("""[{"key":"k","value":1}]"""));

        var answer = await sidecar.Client.SendAsync(HttpMethod.Post, "v1.0/shutdown", null, ("dapr-force-shutdown", force));

        await answer.IsAsync(HttpStatusCode.NoContent);
        Assert.Equal(exitCode, await sidecar.ExitCodeAsync());
        using var again = await SidecarProcess.StartAsync("alone", null, Path.Combine(cluster.ResourcesFolder, "home"), cluster.ResourcesFolder);
        await (await again.Client.SendAsync(HttpMethod.Get, "v1.0/state/statestore/k")).IsAsync(HttpStatusCode.OK, "1");
    }

    [Fact]
    public async Task Sidecars_OfTwoProcesses_CallEachOthersAppsAndActors()
    {
        using var host = await SidecarProcess.StartAsync("app", _appPort, _home, Resources);
        await host.UntilReadyAsync();
        using var caller = await SidecarProcess.StartAsync("other", null, _home, Resources);

        await (await caller.Client.SendAsync(HttpMethod.Get, "v1.0/invoke/app/method/who", null, ("platform-peer-caller", "forged"))).IsAsync(HttpStatusCode.OK, "other");
        await (await caller.Client.SendAsync(HttpMethod.Post, "v1.0/actors/Sleeper/x/method/wake", Answers.Json("1"))).IsAsync(HttpStatusCode.OK);

        host.Kill();
        await (await caller.Client.SendAsync(HttpMethod.Get, "v1.0/invoke/app/method/who")).IsErrorAsync(500, "ERR_DIRECT_INVOKE");
    }

    [Fact]
    public async Task Sidecar_ThatRestarts_IsCalledAgainUnderTheCallersPolicy()
    {
        var callersOwn = Path.Combine(_home, "caller");
        Directory.CreateDirectory(callersOwn);
        await File.WriteAllTextAsync(Path.Combine(callersOwn, "all.yaml"), """
            apiVersion: dapr.io/v1alpha1
            kind: Resiliency
            metadata: { name: patient }
            spec:
              policies: { retries: { patient: { policy: constant, duration: 50ms, maxRetries: -1 } } }
              targets: { apps: { app: { retry: patient } } }
            """, Stop);
        using var caller = await SidecarProcess.StartAsync("other", null, _home, callersOwn);
        using (var first = await SidecarProcess.StartAsync("app", _appPort, _home, Resources))
        {
            await first.UntilReadyAsync();
            await (await caller.Client.SendAsync(HttpMethod.Get, "v1.0/invoke/app/method/who")).IsAsync(HttpStatusCode.OK, "other");
            first.Kill();
        }

        var call = caller.Client.SendAsync(HttpMethod.Get, "v1.0/invoke/app/method/who"); // To nobody yet.
        using var second = await SidecarProcess.StartAsync("app", _appPort, _home, Resources);

        await (await call).IsAsync(HttpStatusCode.OK, "other");
    }

    /// <summary>Writes until the sidecar is gone; keeps what was acknowledged.</summary>
    private static async Task WriteAsync(HttpClient client, int writer, ConcurrentBag<int> saved, ConcurrentBag<int> published, ConcurrentBag<int> reminders)
    {
        try
        {
            for (var i = writer * 1_000_000; ; i++)
            {
                var transaction = $$$"""{"operations":[{"operation":"upsert","request":{"key":"a{{{i}}}","value":{{{i}}}}},{"operation":"upsert","request":{"key":"b{{{i}}}","value":{{{i}}}}}]}""";
                Keep(saved, i, await client.SendAsync(HttpMethod.Post, "v1.0/state/statestore/transaction", Answers.Json(transaction)));
                Keep(published, i, await client.SendAsync(HttpMethod.Post, "v1.0/publish/pubsub/t", Answers.Json(i.ToString())));
                Keep(reminders, i, await client.SendAsync(HttpMethod.Post, $"v1.0/actors/Sleeper/{i}/reminders/wake", Answers.Json("""{"dueTime":"1s"}""")));
            }
        }
        catch (HttpRequestException)
        {
            // Killed.
        }
    }

    private static void Keep(ConcurrentBag<int> acknowledged, int i, HttpResponseMessage answer)
    {
        if (answer.StatusCode == HttpStatusCode.NoContent)
        {
            acknowledged.Add(i);
        }
    }
}
