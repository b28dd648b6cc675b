namespace Platform.Benchmarks.Tier.Eviction;

/// <summary>What is asked of a tier, in order, and how large each thing is. The same on every machine.</summary>
/// <param name="Name">What kind of load it is.</param>
/// <param name="SizeBytes">Size of each blob, by number.</param>
/// <param name="Accesses">Which blob is asked for, one after the other.</param>
internal sealed record EvictionTrace(string Name, long[] SizeBytes, int[] Accesses)
{
    private const int Blobs = 1000;
    private const long MiB = 1 << 20;

    /// <summary>All traces.</summary>
    public static IReadOnlyList<EvictionTrace> All(int seed) => [Zipf(seed), Scan(seed), ModelSwitch(seed)];

    /// <summary>Bytes of all blobs.</summary>
    public long TotalBytes => SizeBytes.Sum();

    /// <summary>Independent requests, the popular blobs much more often (exponent 0.9); sizes from 1 to 64 MiB that have nothing to do with popularity.</summary>
    public static EvictionTrace Zipf(int seed)
    {
        var random = new Random(seed);
        var sums = new double[Blobs];
        for (var rank = 0; rank < Blobs; rank++)
        {
            sums[rank] = (rank == 0 ? 0 : sums[rank - 1]) + (1 / Math.Pow(rank + 1, 0.9));
        }

        var accesses = new int[40_000];
        for (var i = 0; i < accesses.Length; i++)
        {
            var at = Array.BinarySearch(sums, random.NextDouble() * sums[^1]);
            accesses[i] = Math.Min(Blobs - 1, at < 0 ? ~at : at);
        }

        return new EvictionTrace("zipf", Sizes(random), accesses);
    }

    /// <summary>A small set that is used all the time, and every now and then a pass over everything else, which is read once and not again before the next pass.</summary>
    public static EvictionTrace Scan(int seed)
    {
        var random = new Random(seed);
        var accesses = new List<int>();
        for (var round = 0; round < 12; round++)
        {
            accesses.AddRange(Enumerable.Range(0, 1500).Select(_ => random.Next(40)));
            accesses.AddRange(Enumerable.Range(100, 900));
        }

        return new EvictionTrace("scan", Sizes(random), [.. accesses]);
    }

    /// <summary>Twenty-five models of ten to seventy files; each is loaded whole, the popular ones more often, and what is popular changes over the day.</summary>
    public static EvictionTrace ModelSwitch(int seed)
    {
        var random = new Random(seed);
        var starts = new List<int> { 0 };
        while (starts[^1] < Blobs)
        {
            starts.Add(Math.Min(Blobs, starts[^1] + 10 + random.Next(61)));
        }

        var models = starts.Count - 1;
        var accesses = new List<int>();
        for (var load = 0; load < 1200; load++)
        {
            var rank = Math.Min(models - 1, (int)(-Math.Log(1 - random.NextDouble()) * 3));
            var model = (rank + (load / 300)) % models;
            accesses.AddRange(Enumerable.Range(starts[model], starts[model + 1] - starts[model]));
        }

        return new EvictionTrace("model-switch", Sizes(random), [.. accesses]);
    }

    private static long[] Sizes(Random random) => [.. Enumerable.Range(0, Blobs).Select(_ => (long)(MiB * Math.Pow(2, random.NextDouble() * 6)))];
}
