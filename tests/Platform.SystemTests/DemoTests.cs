using System.Text.Json.Nodes;

namespace Platform.SystemTests;

public sealed class DemoTests : IDisposable
{
    private readonly string _home = Directory.CreateTempSubdirectory("platform-demo-").FullName;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Fact]
    public async Task Demo_OnANewStateFolder_DoesEveryStepAndReportsRealFigures()
    {
        await using var demo = await PlatformProcess.RunAsync(TestContext.Current.CancellationToken, "demo", "--json", "--home", _home);

        Assert.True(demo.ExitCode == 0, demo.Everything());
        var report = JsonNode.Parse(demo.Output[^1])!;
        Assert.True((bool)report["ok"]!);
        Assert.Equal(["control", "functions", "worker-0", "worker-1"], report["processes"]!.AsArray().Select(process => (string)process!["name"]!).Order(StringComparer.Ordinal));
        Assert.Equal(4, report["processes"]!.AsArray().Select(process => (int)process!["pid"]!).Distinct().Count());

        var weights = new FileInfo(Path.Combine(_home, "objects", "models", "demo", "model.safetensors")).Length;
        Assert.InRange((long)report["cold"]!["objectStoreBytes"]!, weights, weights + (1 << 20));
        Assert.Equal(0, (long)report["warm"]!["objectStoreBytes"]!);
        Assert.Equal(["queued", "placed", "process", "staged", "loaded", "firstToken"], report["cold"]!["phasesMs"]!.AsObject().Select(phase => phase.Key));
        Assert.True((double)report["cold"]!["phasesMs"]!["staged"]! > 0);
        Assert.True((double)report["cold"]!["phasesMs"]!.AsObject().Sum(phase => (double)phase.Value!) <= (double)report["cold"]!["totalMs"]!);
        Assert.InRange((int)report["cold"]!["tokens"]!, 1, 64);
        Assert.Equal((string)report["cold"]!["text"]!, (string)report["warm"]!["text"]!);

        Assert.Equal("Succeeded", (string)report["job"]!["state"]!);
        Assert.Equal(1, (int)report["job"]!["attempts"]!);
        Assert.Equal(16, (int)report["job"]!["items"]!);
        Assert.Equal("Succeeded", (string)report["killedJob"]!["state"]!);
        Assert.True((int)report["killedJob"]!["attempts"]! >= 2);
        Assert.Equal(16, (int)report["killedJob"]!["items"]!);
        Assert.False(File.Exists(Path.Combine(_home, "run.json")));
    }

    [Fact]
    public async Task Demo_Again_IsColdAgain()
    {
        await using var first = await PlatformProcess.RunAsync(TestContext.Current.CancellationToken, "demo", "--home", _home);
        await using var second = await PlatformProcess.RunAsync(TestContext.Current.CancellationToken, "demo", "--json", "--home", _home);

        Assert.True(first.ExitCode == 0, first.Everything());
        Assert.True(second.ExitCode == 0, second.Everything());
        Assert.True((long)JsonNode.Parse(second.Output[^1])!["cold"]!["objectStoreBytes"]! > 0);
    }
}
