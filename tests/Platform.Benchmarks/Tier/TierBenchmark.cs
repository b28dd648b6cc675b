using System.CommandLine;
using Platform.Benchmarks.Tier.Eviction;
using Platform.DataPlane.Nvme.Io;

namespace Platform.Benchmarks.Tier;

/// <summary>The NVMe tier beside other programs on the same disk in the same run: windows in ABBA order, so that what the machine does meanwhile hits both alike.</summary>
/// <remarks>
/// Cold is cold: all our I/O is direct, and the process's own <c>read_bytes</c>
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

    public static Command Command()
    {
        var only = BenchmarkOptions.Only("ratios", [.. Suites.SelectMany(suite => suite.Ids)]);
        var pairs = BenchmarkOptions.Count("--pairs", "Pairs of windows that read", 21);
        var writePairs = BenchmarkOptions.Count("--write-pairs", "Pairs of windows that write", 41);
        var mebibytes = BenchmarkOptions.Count("--mib", "MiB of a window", 256);
        var folder = BenchmarkOptions.Folder();
        var command = new Command("tier", "The NVMe tier beside fio, FASTER's own device and RocksDB on the same disk.") { BenchmarkOptions.Json, only, pairs, writePairs, mebibytes, folder };
        command.SetAction((options, _) => RunAsync(
            options.GetValue(only)!,
            new TierRun(
                Path.Combine(options.GetValue(folder)!, $"platform-tier-bench-{Environment.ProcessId}"),
                options.GetValue(pairs),
                options.GetValue(writePairs),
                (long)options.GetValue(mebibytes) << 20),
            options.GetValue(BenchmarkOptions.Json)));
        return command;
    }

    private static async Task<int> RunAsync(string[] only, TierRun run, bool json)
    {
        // The runtime reads it when the pool starts: the worker, whose code is measured here, has it in its project file.
        AppContext.SetData("System.Threading.ThreadPool.UnfairSemaphoreSpinLimit", 0);
        Directory.CreateDirectory(run.Folder);
        try
        {
            await DescribeAsync(run.Folder);
            foreach (var suite in Suites.Where(suite => only.Length == 0 || suite.Ids.Intersect(only).Any()))
            {
                await foreach (var ratio in suite.RunAsync(run))
                {
                    Console.WriteLine(json ? ratio.ToJson() : ratio.ToString());
                }
            }

            return 0;
        }
        finally
        {
            Directory.Delete(run.Folder, recursive: true);
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

    private sealed record Suite(string[] Ids, Func<TierRun, IAsyncEnumerable<Ratio>> RunAsync);
}
