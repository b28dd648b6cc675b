using Platform.DataPlane.HostMemory;

namespace Platform.Benchmarks.Tier;

/// <summary>R6: what the tier itself costs when the disk costs a copy: a blob on a RAM file system, read by as many tasks as the peer has threads in its pread loop.</summary>
internal static class RamDiskSuite
{
    private const string Folder = "/dev/shm";
    private const int Readers = 2;

    public static async IAsyncEnumerable<Ratio> RunAsync(TierRun run)
    {
        if (!Directory.Exists(Folder) || new DriveInfo(Folder).AvailableFreeSpace < 4 * run.Bytes)
        {
            await Console.Error.WriteLineAsync($"R6 is left out: {Folder} is no RAM file system with {(4 * run.Bytes) >> 20} MiB free.");
            yield break;
        }

        var folder = Path.Combine(Folder, $"platform-tier-bench-{Environment.ProcessId}");
        Directory.CreateDirectory(folder);
        try
        {
            await using var tier = await (run with { Folder = folder }).OpenTierAsync("ram");
            if (!tier.Device.IsDirect)
            {
                await Console.Error.WriteLineAsync($"R6: {Folder} refuses direct I/O (it takes it from Linux 6.6 on); both sides go through its page cache, which is the file system itself.");
            }

            await using var lease = await run.FillAsync(tier);
            using var memory = new AlignedMemory(Readers * TierRun.Chunk);
            var measured = await TierRun.AlternateAsync(
                run.Pairs,
                () => Window.MeasureAsync(async () =>
                {
                    var next = -1;
                    await Task.WhenAll(Enumerable.Range(0, Readers).Select(reader => Task.Run(async () =>
                    {
                        while (Interlocked.Increment(ref next) is var chunk && chunk < run.Bytes / TierRun.Chunk)
                        {
                            await lease.ReadAsync((long)chunk * TierRun.Chunk, memory.Slice((long)reader * TierRun.Chunk, TierRun.Chunk));
                        }
                    })));
                    return run.Bytes;
                }),
                () => RawLoop.ReadAsync(lease.FilePath, TierRun.Chunk, Readers, random: false, run.Bytes));
            yield return Ratio.Of("R6", $"read on a RAM file system / pread loop of {Readers} threads; {(tier.Device.IsDirect ? "direct" : "buffered")}, CPU {TierRun.MillisecondsPerGigabyte(measured)}", TierRun.Speeds(measured), 0.80, 0.95, higherIsBetter: true);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
