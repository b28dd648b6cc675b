using Platform.Worker.Engines;

namespace Platform.UnitTests.Engines;

/// <summary>Which tokens may be chosen and how often, counted over many draws of fixed seeds.</summary>
public sealed class SamplerTests
{
    private const int Draws = 20_000;
    private static readonly float[] Logits = [0.5f, 2f, -1f, 1.5f, 2f, -8f];

    [Fact]
    public void Choose_TemperatureZero_IsTheFirstOfTheLargest() => Assert.All(Enumerable.Range(0, 20), seed => Assert.Equal(1, new Sampler(0, 3, 0.5, seed).Choose(Logits)));

    [Theory]
    [InlineData(1.0)]
    [InlineData(0.5)]
    [InlineData(1.7)]
    public void Choose_Temperature_DrawsAsOftenAsTheSoftmaxSays(double temperature)
    {
        var weights = Logits.Select(logit => Math.Exp(logit / temperature)).ToList();

        var frequencies = Frequencies(new Sampler(temperature, 0, 1, seed: 3));

        // Four standard deviations of a share of so many draws, at most 0.5 * 4 / sqrt(20,000).
        Assert.All(weights.Select((weight, id) => (Expected: weight / weights.Sum(), Seen: frequencies[id])), pair => Assert.Equal(pair.Expected, pair.Seen, 0.0142));
    }

    [Theory]
    [InlineData(1, new[] { 1 })]
    [InlineData(2, new[] { 1, 4 })]
    [InlineData(3, new[] { 1, 3, 4 })]
    public void Choose_TopK_TakesNoOtherThanTheMostLikely(int topK, int[] expected) => Assert.Equal(expected, Seen(new Sampler(1.5, topK, 1, seed: 5)));

    // The shares at temperature 1: 0.34, 0.34, 0.21, 0.08, 0.02 for the tokens 1, 4, 3, 0, 2.
    [Theory]
    [InlineData(0.1, new[] { 1 })]
    [InlineData(0.6, new[] { 1, 4 })]
    [InlineData(0.85, new[] { 1, 3, 4 })]
    [InlineData(0.95, new[] { 0, 1, 3, 4 })]
    public void Choose_TopP_TakesTheMostLikelyUntilTheyAddUpToIt(double topP, int[] expected) => Assert.Equal(expected, Seen(new Sampler(1, 0, topP, seed: 7)));

    [Fact]
    public void Choose_TopKAndTopP_BothHold() => Assert.Equal([1, 4], Seen(new Sampler(1, 2, 0.95, seed: 9)));

    [Fact]
    public void Choose_LogitsFarApart_NeverTakesTheHopelessOne() => Assert.Equal([0], Seen(new Sampler(1, 0, 1, seed: 11), [100f, 0f]));

    private static double[] Frequencies(Sampler sampler)
    {
        var counts = new double[Logits.Length];
        for (var draw = 0; draw < Draws; draw++)
        {
            counts[sampler.Choose(Logits)]++;
        }

        return [.. counts.Select(count => count / Draws)];
    }

    private static IEnumerable<int> Seen(Sampler sampler, float[]? logits = null) => Enumerable.Range(0, 2_000).Select(_ => sampler.Choose(logits ?? Logits)).Distinct().Order();
}
