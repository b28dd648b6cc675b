using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane.Nvme;

namespace Platform.Benchmarks.Tier.Eviction;

/// <summary>R11 and R12: bytes written per byte let in, and bytes that the tier's policy misses beside LRU. Counts: the same on every machine.</summary>
internal static class EvictionSuite
{
    public static async IAsyncEnumerable<Ratio> RunAsync(TierRun run)
    {
        yield return Ratio.OfCount("R11", "device bytes written, catalog included / bytes admitted, over an eviction cycle of three times the limit", await WrittenPerByteAsync(run), 1.30, 1.05);
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

    private static async Task<double> WrittenPerByteAsync(TierRun run)
    {
        const int Fit = 4;
        const long Metadata = 8 << 20;
        var blob = Math.Max(TierRun.Chunk, run.Bytes / Fit / TierRun.Chunk * TierRun.Chunk);
        var storage = new MemoryStorage(new byte[TierRun.Chunk + 4096], blob);
        await using var tier = await NvmeTier.OpenAsync(
            new NvmeTierOptions { Folder = Path.Combine(run.Folder, "eviction"), MetadataBytes = Metadata, LimitBytes = Metadata + (Fit * blob) },
            NullLogger.Instance);
        for (var i = 0; i < 3 * Fit; i++)
        {
            await using var lease = await tier.OpenAsync(new BlobSource($"blob-{i}", storage, "object", blob, "v1"));
            await lease.FillAsync(depth: 8);
        }

        return (tier.Device.BytesWritten + tier.CatalogDevice.BytesWritten) / (3.0 * Fit * blob);
    }
}
