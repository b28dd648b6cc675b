using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme;

namespace Platform.Benchmarks.Tier;

/// <summary>R5: small reads at random places, 32 at once.</summary>
internal static class RandomSuite
{
    private const int Depth = 32;

    public static async IAsyncEnumerable<Ratio> RunAsync(TierRun run)
    {
        await using var tier = await run.OpenTierAsync("random");
        await using var lease = await run.FillAsync(tier);
        await foreach (var chunk in lease.ReadAllAsync())
        {
            // A chunk that was verified once is read in part from then on.
            GC.KeepAlive(chunk);
        }

        yield return await MeasureAsync(run, lease, "R5a", 64 * 1024, run.Bytes / 4, 0.90, 0.98);
        yield return await MeasureAsync(run, lease, "R5b", 4 * 1024, run.Bytes / 16, 0.60, 0.92);
    }

    private static async Task<Ratio> MeasureAsync(TierRun run, BlobLease lease, string id, int blockBytes, long bytes, double floor, double target)
    {
        using var memory = new AlignedMemory((long)Depth * blockBytes);
        var blocks = (int)(bytes / blockBytes);
        var measured = await TierRun.AlternateAsync(
            run.Pairs,
            () => Window.MeasureAsync(async () =>
            {
                var next = -1;
                await Task.WhenAll(Enumerable.Range(0, Depth).Select(slot => Task.Run(async () =>
                {
                    var random = new Random(slot);
                    var mine = memory.Slice((long)slot * blockBytes, blockBytes);
                    while (Interlocked.Increment(ref next) < blocks)
                    {
                        await lease.ReadAsync(random.NextInt64(lease.LengthBytes / blockBytes) * blockBytes, mine);
                    }
                })));
                return (long)blocks * blockBytes;
            }),
            () => RawDisk.ReadAsync(lease.FilePath, blockBytes, Depth, random: true, (long)blocks * blockBytes));
        return Ratio.Of(id, $"random {blockBytes / 1024} KiB reads, 32 at once / raw; CPU {TierRun.MillisecondsPerGigabyte(measured)}", TierRun.Speeds(measured), floor, target, higherIsBetter: true);
    }
}
