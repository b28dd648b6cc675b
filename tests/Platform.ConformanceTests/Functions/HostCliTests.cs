using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Platform.ConformanceTests.Functions;

/// <summary><c>platform host</c> as a user starts it: an app in Node.js, and command lines that are wrong.</summary>
public sealed partial class HostCliTests : IDisposable
{
    private readonly string _home = Directory.CreateTempSubdirectory("host-cli-").FullName;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Fact]
    public async Task App_InNode_IsServedUntilItIsToldToStop()
    {
        TestFunctionApp.NeedsNode();
        await using var app = new TestFunctionApp().Raw("Pid", "pid").Function("Broken", "{\"bindings\":[");
        app.WriteHostJson();
        await File.WriteAllTextAsync(Path.Combine(app.AppRoot, "local.settings.json"), """{"IsEncrypted":false,"Values":{"AzureWebJobsStorage":"embedded"}}""", Cancel);
        using var host = Start("--app-root", app.AppRoot, "--port", "0", "--address", "localhost");
        var errors = host.StandardError.ReadToEndAsync(Cancel);
        var said = "";
        while (!Address().IsMatch(said))
        {
            said += await host.StandardOutput.ReadLineAsync(Cancel) ?? throw new InvalidOperationException("the host ended: " + said + await errors);
        }

        using var client = new HttpClient { BaseAddress = new Uri(Address().Match(said).Value) };
        Assert.True(int.TryParse(await client.GetStringAsync("api/pid", Cancel), out _));
        using (var stop = Process.Start("kill", ["-TERM", $"{host.Id}"]))
        {
            await stop.WaitForExitAsync(Cancel);
        }

        await host.StandardOutput.ReadToEndAsync(Cancel);
        await host.WaitForExitAsync(Cancel);
        Assert.Equal(0, host.ExitCode);
        Assert.Contains("Broken/function.json", said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "--app-rot", "--app-rot", "x")]
    [InlineData(2, "127.0.0.1", "--address", "nonsense")]
    [InlineData(2, "0 to 65535", "--port", "99999")]
    [InlineData(1, "no folder '/no/such/folder'", "--app-root", "/no/such/folder")]
    [InlineData(1, "no host.json", "--app-root", "/")]
    public async Task CommandLine_ThatIsWrong_SaysWhatWasExpected(int code, string named, params string[] arguments)
    {
        using var host = Start(arguments);
        var output = host.StandardOutput.ReadToEndAsync(Cancel);
        var errors = await host.StandardError.ReadToEndAsync(Cancel);
        await host.WaitForExitAsync(Cancel);

        Assert.Equal((code, ""), (host.ExitCode, await output));
        Assert.Contains(named, errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
    }

    private Process Start(params string[] arguments) => Process.Start(new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "platform.dll"), "host", .. arguments, "--home", _home])
    {
        RedirectStandardOutput = true,
        RedirectStandardError = true,
        UseShellExecute = false,
    })!;

    [GeneratedRegex(@"(?<=listens on )http://127\.0\.0\.1:\d+", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Address();
}
