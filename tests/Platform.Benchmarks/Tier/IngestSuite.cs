using Platform.DataPlane.Nvme;

namespace Platform.Benchmarks.Tier;

/// <summary>R3: a blob from object storage that costs a copy, until it is sealed.</summary>
internal static class IngestSuite
{
    public static async IAsyncEnumerable<Ratio> RunAsync(TierRun run)
    {
        await using var tier = await run.OpenTierAsync("ingest");
        var storage = run.Storage();
        var raw = new RawDisk(run.Folder);
        var number = 0;
        var measured = await TierRun.AlternateAsync(
            run.WritePairs,
            async () =>
            {
                var key = $"ingest-{number++}";
                var window = await Window.MeasureAsync(async () =>
                {
                    await using var lease = await tier.OpenAsync(new BlobSource(key, storage, key, run.Bytes, "v1"));
                    await lease.FillAsync(depth: 8);
                    return run.Bytes;
                });
                await tier.RemoveAsync(key);
                return window;
            },
            () => raw.WriteAsync(run.Bytes, 1 << 20, 8));
        yield return Ratio.Of("R3", $"durable ingest with checksum, journal and seal / write and final sync; CPU {TierRun.MillisecondsPerGigabyte(measured)}", TierRun.Speeds(measured), 0.85, 0.95, higherIsBetter: true);
    }
}
