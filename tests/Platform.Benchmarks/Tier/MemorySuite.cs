using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane.Nvme;

namespace Platform.Benchmarks.Tier;

/// <summary>R39: what the tier keeps in memory: its catalog per byte cached, and the whole process beside what it was told to use.</summary>
internal static class MemorySuite
{
    /// <summary>Verb of a child process, whose memory is nothing but the tier's.</summary>
    public const string ChildVerb = "tier-memory";

    private const int Buffers = 32;
    private const int BlobBytes = 64 << 20;

    public static async IAsyncEnumerable<Ratio> RunAsync(TierRun run)
    {
        await using (var tier = await run.OpenTierAsync("memory"))
        {
            await using var lease = await run.FillAsync(tier);
            yield return Ratio.OfCount("R39", "catalog bytes in memory per GB cached", tier.CatalogBytes * 1e9 / tier.UsedBytes, 65536, 24576);
        }

        var start = new ProcessStartInfo(Environment.ProcessPath!) { UseShellExecute = false, RedirectStandardOutput = true };
        foreach (var argument in new[] { typeof(MemorySuite).Assembly.Location, ChildVerb, Path.Combine(run.Folder, "memory-child") })
        {
            start.ArgumentList.Add(argument);
        }

        using var child = Process.Start(start)!;
        var output = await child.StandardOutput.ReadToEndAsync();
        await child.WaitForExitAsync();
        yield return Ratio.OfCount("R39m", $"growth of the resident set / configured memory ({Buffers} buffers of 8 MiB, catalog)", double.Parse(output, CultureInfo.InvariantCulture), 1.15, 1.03);
    }

    /// <summary>Works a tier with all its buffers in use, and prints the ratio.</summary>
    public static async Task<int> RunChildAsync(string folder)
    {
        // Once with two buffers: what the runtime and the code take is there before the counting starts.
        await WorkAsync(Path.Combine(folder, "small"), buffers: 2);
        GC.Collect(2, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        var before = Resident("VmRSS:");
        var configured = await WorkAsync(Path.Combine(folder, "large"), Buffers);
        Console.WriteLine(((Resident("VmHWM:") - before) / (double)configured).ToString(CultureInfo.InvariantCulture));
        return 0;
    }

    private static async Task<long> WorkAsync(string folder, int buffers)
    {
        var options = new NvmeTierOptions { Folder = folder, LimitBytes = 1L << 30, Buffers = buffers };
        await using var tier = await NvmeTier.OpenAsync(options, NullLogger.Instance);

        // Slow enough that every buffer is out at once.
        var storage = new MemoryStorage(new byte[1 << 20], BlobBytes, TimeSpan.FromMilliseconds(40));
        await Parallel.ForAsync(0, 12, new ParallelOptions { MaxDegreeOfParallelism = 6 }, async (index, token) =>
        {
            await using var lease = await tier.OpenAsync(new BlobSource($"b{index}", storage, $"b{index}", BlobBytes, "v1"), token);
            await lease.FillAsync(depth: 8, token);
            await lease.ReadAsync(5, new byte[100], token);
        });
        return ((long)buffers * options.ChunkBytes) + tier.CatalogBytes;
    }

    private static long Resident(string line) =>
        long.Parse(File.ReadLines("/proc/self/status").First(text => text.StartsWith(line, StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
}
