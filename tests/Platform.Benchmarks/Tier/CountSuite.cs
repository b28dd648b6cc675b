using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme;

namespace Platform.Benchmarks.Tier;

/// <summary>R10 and R13: what is counted rather than timed. Tests check the same.</summary>
internal static class CountSuite
{
    private const int Chunk = TierRun.Chunk;

    public static async IAsyncEnumerable<Ratio> RunAsync(TierRun run)
    {
        await using var tier = await run.OpenTierAsync("counts", VerificationPolicy.Always);
        await using var lease = await run.FillAsync(tier);
        using var memory = new AlignedMemory(run.Bytes);
        await ReadWholeAsync(lease, memory);
        var (before, reads) = (tier.Device.BytesRead, tier.Device.Reads);
        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        await ReadWholeAsync(lease, memory);
        allocated = GC.GetTotalAllocatedBytes(precise: true) - allocated;
        var device = tier.Device.BytesRead - before;
        yield return Ratio.OfCount("R10r", "device reads per chunk", (tier.Device.Reads - reads) / Math.Ceiling(run.Bytes / (double)Chunk), 1, 1);
        yield return Ratio.OfCount("R10", "device bytes / logical bytes of a warm read", device / (double)run.Bytes, 1.05, 1.01);
        yield return Ratio.OfCount("R10m", "managed bytes per MiB read", allocated / (run.Bytes / 1048576.0), 1024, 64);

        var storage = new MemoryStorage(new byte[Chunk], 4 * Chunk);
        await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Run(async () =>
        {
            await using var asker = await tier.OpenAsync(new BlobSource("asked", storage, "asked", 4 * Chunk, "v1"));
            await asker.FillAsync();
        })));
        yield return Ratio.OfCount("R13", "object storage reads per cold chunk under 64 askers", storage.Gets / 4.0, 1, 1);
    }

    private static async Task ReadWholeAsync(BlobLease lease, AlignedMemory memory)
    {
        for (var offset = 0L; offset < lease.LengthBytes; offset += Chunk)
        {
            await lease.ReadAsync(offset, memory.Slice(offset, (int)Math.Min(Chunk, lease.LengthBytes - offset)));
        }
    }
}
