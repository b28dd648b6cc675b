using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using Platform.Jobs;
using Platform.Local.Supervisor;

namespace Platform.UnitTests.Supervisor;

/// <summary>A run template of apps that are nothing of ours, run as <c>platform up</c> runs it: real processes, real sidecars.</summary>
public sealed class LocalPlatformTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly ConcurrentQueue<(string Name, string Line)> _lines = new();
    private readonly HttpClient _client = new() { Timeout = TimeSpan.FromSeconds(30) };

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _client.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Start_TwoApps_EachHasItsEnvironmentFolderPortsAndName()
    {
        await using var platform = await StartAsync($$"""
            version: 1
            common: { env: { SHARED: common, {{Child}} } }
            apps:
              - appID: one
                appDirPath: ./one
                appPort: 0
                command: {{SupervisedApp.Command}}
                env: { SHARED: own }
              - appID: two
                appDirPath: ./two
                appPort: 0
                command: {{SupervisedApp.Command}}
            """);
        var (one, two) = (platform.Processes.Single(app => app.Name == "one"), platform.Processes.Single(app => app.Name == "two"));

        Assert.Equal(("own", "common"), (await AskAsync(one, "environment/SHARED"), await AskAsync(two, "environment/SHARED")));
        Assert.Equal(("one", "127.0.0.1", "http"), (await AskAsync(one, "environment/APP_ID"), await AskAsync(one, "environment/APP_CHANNEL_ADDRESS"), await AskAsync(one, "environment/APP_PROTOCOL")));
        Assert.Equal((one.DaprPort.ToString(), two.DaprPort.ToString()), (await AskAsync(one, "environment/DAPR_HTTP_PORT"), await AskAsync(two, "environment/DAPR_HTTP_PORT")));
        Assert.Equal(Path.Combine(_folder.Path, "two"), await AskAsync(two, "folder"));
        Assert.Equal(one.ProcessId.ToString(), await _client.GetStringAsync($"http://127.0.0.1:{two.DaprPort}/v1.0/invoke/one/method/pid", Token));
        await UntilAsync(() => _lines.Contains(("one", "I am one")) && _lines.Contains(("two", "I am two")));
        Assert.Contains("I am two", await ReadLogAsync("two"), StringComparison.Ordinal);
        Assert.Null(platform.Url);
    }

    [Fact]
    public async Task App_ThatFailsItsHealthChecks_IsStartedAgainAndServedAgain()
    {
        await using var platform = await StartCheckedAsync();
        var first = Single(platform);
        await (await _client.PostAsync($"http://127.0.0.1:{first.AppPort}/sick", null, Token)).Content.ReadAsStringAsync(Token);

        await UntilAsync(() => Single(platform) is { Restarts: 1, ProcessId: { } now } && now != first.ProcessId);

        await UntilAsync(async () => (await _client.GetAsync($"http://127.0.0.1:{first.DaprPort}/v1.0/healthz", Token)).IsSuccessStatusCode);
        Assert.Equal(Single(platform).ProcessId.ToString(), await _client.GetStringAsync($"http://127.0.0.1:{first.DaprPort}/v1.0/invoke/app/method/pid", Token));
        Assert.Contains("failed its health check /healthz 2 times in a row; starting it again", await ReadLogAsync("app"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task App_ThatStandsStill_IsKilledAndStartedAgain()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Stops a process with a signal.");
        await using var platform = await StartCheckedAsync();
        var first = Single(platform);
        using (var kill = Process.Start("kill", ["-STOP", first.ProcessId.ToString()!]))
        {
            await kill.WaitForExitAsync(Token);
        }

        await UntilAsync(() => Single(platform) is { Restarts: 1, ProcessId: { } now } && now != first.ProcessId);

        await UntilAsync(async () => (await _client.GetAsync($"http://127.0.0.1:{first.DaprPort}/v1.0/invoke/app/method/pid", Token)).StatusCode == HttpStatusCode.OK);
    }

    private static string Child => $"PLATFORM_TEST_CHILD: {SupervisedApp.Child}";

    private static RunningProcess Single(LocalPlatform platform) => Assert.Single(platform.Processes);

    private Task<LocalPlatform> StartCheckedAsync() => StartAsync($$"""
        version: 1
        apps:
          - appID: app
            appDirPath: ./one
            appPort: 0
            enableAppHealthCheck: true
            appHealthProbeInterval: 1
            appHealthProbeTimeout: 1000
            appHealthThreshold: 2
            command: {{SupervisedApp.Command}}
            env: { {{Child}} }
        """);

    private async Task<LocalPlatform> StartAsync(string template)
    {
        Directory.CreateDirectory(Path.Combine(_folder.Path, "one"));
        Directory.CreateDirectory(Path.Combine(_folder.Path, "two"));
        await File.WriteAllTextAsync(Path.Combine(_folder.Path, "dapr.yaml"), template, Token);
        return await LocalPlatform.StartAsync(
            new LocalPlatformOptions
            {
                Home = new HomeFolder(Path.Combine(_folder.Path, "home")),
                Template = RunTemplate.Load(_folder.Path),
                Follow = (name, line) => _lines.Enqueue((name, line)),
                AnyPorts = true,
            },
            Token);
    }

    private Task<string> AskAsync(RunningProcess app, string path) => _client.GetStringAsync($"http://127.0.0.1:{app.AppPort}/{path}", Token);

    private async Task<string> ReadLogAsync(string app)
    {
        await using var file = new FileStream(Path.Combine(_folder.Path, "home", "logs", app + ".log"), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(file);
        return await reader.ReadToEndAsync(Token);
    }

    private static Task UntilAsync(Func<bool> condition) => UntilAsync(() => Task.FromResult(condition()));

    private static async Task UntilAsync(Func<Task<bool>> condition)
    {
        while (!await condition())
        {
            await Task.Delay(5, Token);
        }
    }
}
