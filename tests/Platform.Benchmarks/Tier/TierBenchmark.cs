using System.Globalization;
using Platform.Benchmarks.Tier.Eviction;
using Platform.DataPlane.Nvme.Io;

namespace Platform.Benchmarks.Tier;

/// <summary>The NVMe tier beside other programs on the same disk in the same run: windows in ABBA order, so that what the machine does meanwhile hits both alike.</summary>
/// <remarks>
/// <c>tier [--json] [--only R2,R5] [--pairs N] [--write-pairs N] [--mib N] [--folder PATH]</c>. Cold is cold: all our I/O is direct, and the process's own <c>read_bytes</c>
/// are compared with what was read. A peer program that is not installed is named, and what needs it is left out or compared with the nearest thing, which is said.
/// </remarks>
internal static class TierBenchmark
{
    private static readonly Suite[] Suites =
    [
        new(["R3"], IngestSuite.RunAsync),
        new(["R1", "R2"], SequentialSuite.RunAsync),
        new(["R4"], FasterDeviceSuite.RunAsync),
        new(["R5"], RandomSuite.RunAsync),
        new(["R6"], RamDiskSuite.RunAsync),
        new(["R7"], BlobDbSuite.RunAsync),
        new(["R10", "R13"], CountSuite.RunAsync),
        new(["R11", "R12"], EvictionSuite.RunAsync),
        new(["R39"], MemorySuite.RunAsync),
    ];

    internal static async Task<int> RunAsync(string[] args)
    {
        // The runtime reads it when the pool starts: the worker, whose code is measured here, has it in its project file.
        AppContext.SetData("System.Threading.ThreadPool.UnfairSemaphoreSpinLimit", 0);
        var only = (Option(args, "--only") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (only.Except(Suites.SelectMany(suite => suite.Ids)).ToList() is { Count: > 0 } unknown)
        {
            await Console.Error.WriteLineAsync($"No ratio is called {string.Join(", ", unknown)}; there are {string.Join(", ", Suites.SelectMany(suite => suite.Ids))}.");
            return 64;
        }

        var folder = Path.Combine(Option(args, "--folder") ?? Path.GetTempPath(), $"platform-tier-bench-{Environment.ProcessId}");
        Directory.CreateDirectory(folder);
        var run = new TierRun(folder, Number(args, "--pairs", 21), Number(args, "--write-pairs", 41), (long)Number(args, "--mib", 256) << 20);
        try
        {
            await DescribeAsync(folder);
            foreach (var suite in Suites.Where(suite => only.Length == 0 || suite.Ids.Intersect(only).Any()))
            {
                await foreach (var ratio in suite.RunAsync(run))
                {
                    Console.WriteLine(args.Contains("--json") ? ratio.ToJson() : ratio.ToString());
                }
            }

            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task DescribeAsync(string folder)
    {
        await Console.Error.WriteLineAsync($"{Environment.ProcessorCount} CPUs, {(AioRing.Shared is null ? "threads wait for the disk (no Linux AIO here)" : "Linux AIO")}, peer: {RawDisk.Name}");
        using var device = new DirectDevice(new DirectDeviceOptions { Folder = folder });
        using var probe = device.Open(Path.Combine(folder, "probe"), create: true);
        if (!device.Figures.IsDirect)
        {
            await Console.Error.WriteLineAsync($"'{folder}' refuses direct I/O: the figures are those of the page cache. Use --folder on a local disk.");
        }
    }

    private static string? Option(string[] args, string name) => Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : null;

    private static int Number(string[] args, string name, int otherwise) => Option(args, name) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    private sealed record Suite(string[] Ids, Func<TierRun, IAsyncEnumerable<Ratio>> RunAsync);
}
