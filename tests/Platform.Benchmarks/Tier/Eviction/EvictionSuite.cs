namespace Platform.Benchmarks.Tier.Eviction;

/// <summary>R12: bytes that the tier's policy misses beside LRU. Counts: the same on every machine.</summary>
internal static class EvictionSuite
{
    public static async IAsyncEnumerable<Ratio> RunAsync(TierRun run)
    {
        await Task.CompletedTask;
        var all = new List<double>();
        foreach (var trace in EvictionTrace.All(seed: 1))
        {
            foreach (var percent in new[] { 5, 10, 30 })
            {
                var capacity = trace.TotalBytes * percent / 100;
                all.Add(EvictionReplay.MissedBytes(trace, capacity) / (double)EvictionReplay.MissedBytesOfLru(trace, capacity));
                yield return Ratio.OfCount("R12", $"bytes missed / by LRU, {trace.Name} trace at {percent} % capacity", all[^1], 1.0, 1.0);
            }
        }

        yield return Ratio.OfCount("R12m", "bytes missed / by LRU, mean of all traces and capacities", all.Average(), 1.0, 0.85);
    }
}
