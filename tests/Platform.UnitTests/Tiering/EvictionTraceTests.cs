using Platform.Benchmarks.Tier.Eviction;

namespace Platform.UnitTests.Tiering;

/// <summary>Bytes missed beside LRU on the traces that a tier sees, by count.</summary>
public sealed class EvictionTraceTests
{
    [Fact]
    public void PickVictim_OnTraces_MissesFewerBytesThanLru()
    {
        var ratios = new List<(string What, double Ratio)>();
        foreach (var seed in new[] { 1, 2, 3 })
        {
            foreach (var trace in EvictionTrace.All(seed))
            {
                foreach (var percent in new[] { 5, 10, 30 })
                {
                    var capacity = trace.TotalBytes * percent / 100;
                    ratios.Add(($"{trace.Name} {percent} % seed {seed}", EvictionReplay.MissedBytes(trace, capacity) / (double)EvictionReplay.MissedBytesOfLru(trace, capacity)));
                }
            }
        }

        var figures = string.Join('\n', ratios.Select(ratio => $"{ratio.What}: {ratio.Ratio:0.000}"));
        TestContext.Current.TestOutputHelper?.WriteLine(figures);
        Assert.All(ratios, ratio => Assert.True(ratio.Ratio <= 1.0, figures));
        Assert.True(ratios.Average(ratio => ratio.Ratio) <= 0.85, $"mean {ratios.Average(ratio => ratio.Ratio):0.000}\n{figures}");
    }
}
