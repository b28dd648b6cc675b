using Platform.DataPlane.Weights;
using Platform.Worker.Engines;
using Platform.Worker.Engines.Llama;
using Platform.Worker.Training;

namespace Platform.UnitTests.Training;

/// <summary>The verb that made the demo model: a text in, a folder in Hugging Face layout out.</summary>
public sealed class TrainCommandTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Run_SameSeed_WritesTheSameFiles_WhichTheEngineRuns()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder.Path, "text"), string.Concat(Enumerable.Repeat($"the cat sat on the mat. {BpeTrainer.EndOfText}", 60)), Token);

        Assert.Equal((0, 0, 0), (await TrainAsync("one", seed: 3), await TrainAsync("again", seed: 3), await TrainAsync("other", seed: 4)));

        string[] names = ["config.json", "model.safetensors", "tokenizer.json"];
        Assert.Equal(names, Directory.GetFiles(Path.Combine(_folder.Path, "one")).Select(Path.GetFileName).Order());
        Assert.All(names, name => Assert.Equal(Bytes("one", name), Bytes("again", name)));
        Assert.NotEqual(Bytes("one", "model.safetensors"), Bytes("other", "model.safetensors"));
        await using var source = InMemoryTensors.Parse("model.safetensors", Bytes("one", "model.safetensors"));
        await using var engine = await LlamaEngine.LoadAsync(Bytes("one", "config.json"), Bytes("one", "tokenizer.json"), source, Token);
        Assert.Equal(4, (await engine.GenerateAsync(new GenerationRequest { Prompt = "the", MaxTokens = 4 }, Token).ToListAsync(Token)).Count);
    }

    [Theory]
    [InlineData("--heads", "5")]
    [InlineData("--vocabulary", "100")]
    public async Task Run_ShapeThatCannotBe_FailsAndWritesNothing(string option, string value)
    {
        await File.WriteAllTextAsync(Path.Combine(_folder.Path, "text"), "a b c", Token);

        Assert.Equal(1, await TrainCommand.RunAsync(["--text", Path.Combine(_folder.Path, "text"), "--out", Path.Combine(_folder.Path, "out"), option, value]));

        Assert.False(Directory.Exists(Path.Combine(_folder.Path, "out")));
    }

    [Fact]
    public async Task Run_TextThatIsNotThere_Fails() =>
        Assert.Equal(1, await TrainCommand.RunAsync(["--text", Path.Combine(_folder.Path, "none"), "--out", Path.Combine(_folder.Path, "out")]));

    private Task<int> TrainAsync(string output, int seed) => TrainCommand.RunAsync(
    [
        "--text", Path.Combine(_folder.Path, "text"), "--out", Path.Combine(_folder.Path, output), "--seed", seed.ToString(),
        "--steps", "3", "--batch", "2", "--sequence", "16", "--hidden", "16", "--intermediate", "24", "--layers", "1", "--heads", "2", "--key-value-heads", "1", "--vocabulary", "270", "--context", "32",
    ]);

    private byte[] Bytes(string folder, string name) => File.ReadAllBytes(Path.Combine(_folder.Path, folder, name));
}
