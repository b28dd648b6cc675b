using Platform.DataPlane.Weights;
using Platform.Worker.Engines;
using Platform.Worker.Engines.Llama;

namespace Platform.UnitTests.Engines;

/// <summary>The committed model does what its README says.</summary>
public sealed class DemoModelTests
{
    [Theory]
    [InlineData("Once upon a time", 0)]
    [InlineData("One day,", 0)]
    [InlineData("The little fox", 0.7)]
    [InlineData("Every morning, Mia", 0.7)]
    public async Task GenerateAsync_Beginning_BecomesSentencesOfKnownWordsAndEndsByItself(string prompt, double temperature)
    {
        await using var engine = await LoadAsync();

        var made = await engine.GenerateAsync(new GenerationRequest { Prompt = prompt, MaxTokens = 400, Temperature = temperature, Seed = 1 }, TestContext.Current.CancellationToken).ToListAsync(TestContext.Current.CancellationToken);

        var text = prompt + string.Concat(made.Select(token => token.Text));
        var known = Words(await File.ReadAllTextAsync(Path.Combine(DemoModel.Repository, "infra", "demo-model", "stories.txt"), TestContext.Current.CancellationToken)).ToHashSet();
        var words = Words(text).ToList();
        Assert.Equal(FinishReason.Stop, made[^1].Finish);
        Assert.InRange(words.Count, 60, 400);
        Assert.True(words.Count(known.Contains) >= 0.97 * words.Count, text);
        Assert.InRange(text.Count(c => c is '.' or '!' or '?'), 5, 100);
    }

    [Fact]
    public void Files_TogetherFitFourMegabytes() =>
        Assert.True(new[] { "config.json", "tokenizer.json", "model.safetensors" }.Sum(name => new FileInfo(DemoModel.File(name)).Length) < 4_000_000);

    private static async Task<LlamaEngine> LoadAsync() => await LlamaEngine.LoadAsync(
        await File.ReadAllBytesAsync(DemoModel.File("config.json")),
        await File.ReadAllBytesAsync(DemoModel.File("tokenizer.json")),
        InMemoryTensors.Parse("model.safetensors", await File.ReadAllBytesAsync(DemoModel.File("model.safetensors"))),
        TestContext.Current.CancellationToken);

    private static IEnumerable<string> Words(string text) => text.Split([' ', '\n', '.', ',', '!', '?', '"'], StringSplitOptions.RemoveEmptyEntries).Where(word => !word.Contains('<'));
}
