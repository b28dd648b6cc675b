using System.Text.Json.Nodes;

namespace Platform.SystemTests.Engines;

/// <summary>Models that Hugging Face's own classes wrote, with what these classes generate from them as the oracle.</summary>
[Trait("Needs", "transformers")]
public sealed class TransformersTests(TransformersPeer peer, ITestOutputHelper output) : IClassFixture<TransformersPeer>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Complete_ByTheBuiltInEngine_SaysWhatTransformersSays_InEveryFamily()
    {
        peer.SkipIfAbsent();
        await using var platform = new RunningPlatform();
        await platform.InitializeAsync();
        foreach (var (family, _) in peer.Expected.AsObject())
        {
            await AssertSameAsync(platform, family);
        }
    }

    [Fact]
    public async Task Complete_ByTransformersBehindOurDoor_FromTheTiersFiles()
    {
        peer.SkipIfAbsent();
        await using var platform = new ServedByTransformers();
        await platform.InitializeAsync();

        await AssertSameAsync(platform, "llama");

        // On the GPU where there is one: {gpu} reached the program.
        var log = platform.Up.Everything();
        Assert.True(log.Contains($"on {(peer.Gpu.Length > 0 ? peer.Gpu : "the processor")}: imports", StringComparison.Ordinal), $"not on '{peer.Gpu}': {log}");
        output.WriteLine(log.Split('\n').Single(static line => line.Contains("serves with", StringComparison.Ordinal)));
    }

    private async Task AssertSameAsync(RunningPlatform platform, string family)
    {
        var expected = peer.Expected[family]!;
        await using var push = await PlatformProcess.RunAsync(Token, "models", "push", Path.Combine(peer.Folder, family), "--name", family, "--home", platform.Home);
        Assert.True(push.ExitCode == 0, push.Everything());

        var call = new JsonObject { ["model"] = family, ["prompt"] = (string)expected["prompt"]!, ["max_tokens"] = (int)expected["tokens"]!, ["temperature"] = 0 };
        using var answer = await platform.PostAsync("v1/completions", call.ToJsonString(), Token);
        var body = await answer.Content.ReadAsStringAsync(Token);

        Assert.True(answer.IsSuccessStatusCode, $"{family}: {(int)answer.StatusCode} {body}\n{platform.Up.Everything()}");
        Assert.Equal((family, (string)expected["text"]!), (family, (string)JsonNode.Parse(body)!["choices"]![0]!["text"]!));
        output.WriteLine($"{family} ({expected.ToJsonString()}): {string.Join("; ", answer.Headers.TryGetValues("Server-Timing", out var timing) ? timing : [])}");
    }

    /// <summary>Workers that serve models with transformers.</summary>
    private sealed class ServedByTransformers() : RunningPlatform(new Dictionary<string, string>
    {
        ["Worker__External__Command__0"] = "python3",
        ["Worker__External__Command__1"] = Path.Combine(TransformersPeer.Scripts, "server.py"),
        ["Worker__External__Command__2"] = "{model_dir}",
        ["Worker__External__Command__3"] = "{port}",
        ["Worker__External__Command__4"] = "float32",
        ["Worker__External__Environment__CUDA_VISIBLE_DEVICES"] = "{gpu}",
    });
}
