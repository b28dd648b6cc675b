using System.Globalization;
using Platform.DataPlane.Nvme;

namespace Platform.Benchmarks.Tier;

/// <summary>R1 and R2: a blob read from end to end, with checksums compared at every read (the default) and at the first only, as fio does not.</summary>
internal static class SequentialSuite
{
    public static async IAsyncEnumerable<Ratio> RunAsync(TierRun run)
    {
        foreach (var policy in new[] { VerificationPolicy.First, VerificationPolicy.Always })
        {
            await using var tier = await run.OpenTierAsync("sequential", policy);
            await using var lease = await run.FillAsync(tier);
            var onDevice = 0L;
            var windows = 0;
            var measured = await TierRun.AlternateAsync(
                run.Pairs,
                () => Window.MeasureAsync(async () =>
                {
                    // Not over the whole run: the kernel adds what fio read to the process that waited for it.
                    var before = ReadBytes();
                    await foreach (var chunk in lease.ReadAllAsync(depth: 4))
                    {
                        GC.KeepAlive(chunk);
                    }

                    onDevice += ReadBytes() - before;
                    windows++;
                    return run.Bytes;
                }),
                () => RawDisk.ReadAsync(lease.FilePath, 1 << 20, 8, random: false, run.Bytes));
            var suffix = policy == VerificationPolicy.Always ? "v" : "";
            var how = policy == VerificationPolicy.Always ? "checksums compared" : "checksums compared before";
            yield return Ratio.Of("R1" + suffix, $"cold sequential blob read / raw read; {how}", TierRun.Speeds(measured), 0.85, 0.97, higherIsBetter: true);
            yield return Ratio.Of("R2" + suffix, $"CPU per byte read / raw; {how}; {TierRun.MillisecondsPerGigabyte(measured)}", TierRun.CpuPerByte(measured), 1.6, 1.15, higherIsBetter: false);
            yield return Ratio.OfCount("R1c" + suffix, "bytes that the kernel read for this process / bytes asked for (1 = cold)", onDevice / (double)(run.Bytes * windows), 1.05, 1.01);
            await lease.DisposeAsync();
            await tier.RemoveAsync("read");
        }
    }

    private static long ReadBytes() => File.Exists("/proc/self/io")
        ? long.Parse(File.ReadLines("/proc/self/io").First(line => line.StartsWith("read_bytes:", StringComparison.Ordinal))["read_bytes:".Length..], CultureInfo.InvariantCulture)
        : 0;
}
