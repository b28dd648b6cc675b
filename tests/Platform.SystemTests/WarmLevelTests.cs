using System.Text.Json.Nodes;
using Platform.Jobs;

namespace Platform.SystemTests;

/// <summary>A model through its warm levels, as a user sees them: where its bytes came from, and where it is.</summary>
public sealed class WarmLevelTests(RunningPlatform platform) : IClassFixture<RunningPlatform>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Model_ColdThenAsleepInHostMemoryThenOnNvmeAlone_ComesFromWhereItIs_AndSaysTheSame()
    {
        var bytes = new DirectoryInfo(RunningPlatform.DemoModel).GetFiles().Sum(file => file.Length);

        var cold = await CompleteAsync();
        await SleepAsync("host", ModelResidency.Host);
        var woken = await CompleteAsync();
        await SleepAsync("process", ModelResidency.Nvme);
        var warm = await CompleteAsync();
        var ready = await CompleteAsync();

        Assert.Equal((bytes, 0L), (cold.ObjectStore, cold.Host));
        Assert.Equal((0L, 0L, bytes), (woken.ObjectStore, woken.Nvme, woken.Host));
        Assert.Equal((0L, 0L), (warm.ObjectStore, warm.Host));
        Assert.Equal((0L, 0L, 0L), (ready.ObjectStore, ready.Nvme, ready.Host));
        Assert.Single(new[] { cold.Text, woken.Text, warm.Text, ready.Text }.Distinct());
        Assert.Equal(bytes, (await platform.NodesAsync(Token)).Sum(node => node.Heartbeat.ObjectStoreBytes));
    }

    [Fact]
    public async Task Up_PrintsTheDeviceOfEachWorker()
    {
        var nodes = await platform.NodesAsync(Token);

        Assert.Equal(2, nodes.Count);
        Assert.All(nodes, node => Assert.Contains($"{node.Heartbeat.Worker} computes with {node.Heartbeat.Device}", platform.Up.Everything(), StringComparison.Ordinal));
    }

    private async Task SleepAsync(string level, ModelResidency residency)
    {
        await RunningPlatform.UntilAsync(async () => (await platform.NodesAsync(Token)).Any(node => node.Heartbeat.Models.GetValueOrDefault("demo") == ModelResidency.Ready), "the model to be ready", Token);
        await using var sleep = await PlatformProcess.RunAsync(Token, "models", "sleep", "demo", "--level", level, "--home", platform.Home);
        Assert.True(sleep.ExitCode == 0, sleep.Everything());
        await RunningPlatform.UntilAsync(async () => await ResidencyAsync() == residency, $"the model to be {residency}", Token);
    }

    private async Task<ModelResidency> ResidencyAsync()
    {
        var models = JsonNode.Parse(await platform.Http.GetStringAsync(new Uri("api/models", UriKind.Relative), Token))!;
        var demo = (models as JsonArray ?? models["models"]!.AsArray()).Single(model => (string)model!["manifest"]!["name"]! == "demo")!;
        return demo["nodes"]!.AsObject().Select(node => Enum.Parse<ModelResidency>((string)node.Value!)).DefaultIfEmpty().Max();
    }

    private async Task<(string Text, long ObjectStore, long Nvme, long Host)> CompleteAsync()
    {
        using var answer = await platform.PostAsync("v1/completions", """{"model":"demo","prompt":"Once upon a time","max_tokens":16,"temperature":0}""", Token);
        var body = await answer.Content.ReadAsStringAsync(Token);
        Assert.True(answer.IsSuccessStatusCode, body);
        var timing = string.Join(", ", answer.Headers.GetValues(ServerTiming.Header));
        long Bytes(string place) => long.Parse(timing.Split($"{place};desc=\"")[1].Split(' ')[0]);
        return ((string)JsonNode.Parse(body)!["choices"]![0]!["text"]!, Bytes("objectStore"), Bytes("nvme"), Bytes("host"));
    }
}
