using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme;

namespace Platform.Benchmarks.Tier;

/// <summary>The NVMe tier beside fio on the same disk in the same run: windows in ABBA order, so that what the machine does meanwhile hits both alike.</summary>
/// <remarks><c>tier [--json] [--pairs N] [--mib N] [--folder PATH]</c>. Cold is cold: all I/O is direct, and the process's own <c>read_bytes</c> are compared with what was read.</remarks>
internal static class TierBenchmark
{
    private const int Chunk = 8 << 20;

    internal static async Task<int> RunAsync(string[] args)
    {
        var json = args.Contains("--json");
        var pairs = Option(args, "--pairs", 21);
        var bytes = (long)Option(args, "--mib", 256) << 20;
        var at = Array.IndexOf(args, "--folder");
        var root = at >= 0 && at + 1 < args.Length ? args[at + 1] : Path.GetTempPath();
        var folder = Path.Combine(root, $"platform-tier-bench-{Environment.ProcessId}");
        if (!RawDisk.IsAvailable)
        {
            await Console.Error.WriteLineAsync("fio is not installed (apt-get install fio): it is the limit that the tier is compared with. Only the counts are reported.");
        }

        Directory.CreateDirectory(folder);
        try
        {
            foreach (var ratio in await MeasureAsync(folder, pairs, bytes))
            {
                Console.WriteLine(json ? ratio.ToJson() : ratio.ToString());
            }

            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task<List<Ratio>> MeasureAsync(string folder, int pairs, long bytes)
    {
        var pattern = new byte[Chunk + 4096];
        new Random(1).NextBytes(pattern);
        var storage = new MemoryStorage(pattern, bytes);
        var ratios = new List<Ratio>();
        await using var tier = await NvmeTier.OpenAsync(
            new NvmeTierOptions { Folder = Path.Combine(folder, "tier"), LimitBytes = (2 * bytes) + (64L << 20), Verification = VerificationPolicy.First },
            NullLogger.Instance);
        if (!tier.IsDirect)
        {
            await Console.Error.WriteLineAsync($"'{folder}' refuses direct I/O: the figures are those of the page cache. Use --folder on a local disk.");
        }

        if (RawDisk.IsAvailable)
        {
            ratios.AddRange(await IngestAsync(tier, storage, new RawDisk(folder), bytes, pairs));
        }

        await using var lease = await tier.OpenAsync(new BlobSource("read", storage, "read", bytes, "v1"));
        await lease.FillAsync();
        if (RawDisk.IsAvailable)
        {
            ratios.AddRange(await SequentialAsync(lease, bytes, pairs));
            ratios.Add(await RandomAsync(lease, "R5a", 64 * 1024, bytes / 4, 0.90, 0.98, pairs));
            ratios.Add(await RandomAsync(lease, "R5b", 4 * 1024, bytes / 32, 0.60, 0.92, pairs));
        }

        ratios.AddRange(await CountsAsync(tier, lease, storage, bytes));
        return ratios;
    }

    private static async Task<IEnumerable<Ratio>> IngestAsync(NvmeTier tier, MemoryStorage storage, RawDisk raw, long bytes, int pairs)
    {
        var number = 0;
        var measured = await AlternateAsync(
            pairs,
            async () =>
            {
                var key = $"ingest-{number++}";
                var window = await Window.MeasureAsync(async () =>
                {
                    await using var lease = await tier.OpenAsync(new BlobSource(key, storage, key, bytes, "v1"));
                    await lease.FillAsync(depth: 8);
                    return bytes;
                });
                await tier.RemoveAsync(key);
                return window;
            },
            () => raw.WriteAsync(bytes, 1 << 20, 8));
        return [Ratio.Of("R3", "durable ingest with checksum, journal and seal / fio write and final sync", Speeds(measured), 0.85, 0.95, higherIsBetter: true)];
    }

    private static async Task<IEnumerable<Ratio>> SequentialAsync(BlobLease lease, long bytes, int pairs)
    {
        using var memory = new AlignedMemory(bytes);
        var onDevice = 0L;
        var windows = 0;
        var measured = await AlternateAsync(
            pairs,
            () => Window.MeasureAsync(async () =>
            {
                // Not over the whole run: the kernel adds what fio read to the process that waited for it.
                var before = ReadBytes();
                await Parallel.ForAsync(0, (int)(bytes / Chunk), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (chunk, token) =>
                    await lease.ReadAsync((long)chunk * Chunk, memory.Slice((long)chunk * Chunk, Chunk), token));
                onDevice += ReadBytes() - before;
                windows++;
                return bytes;
            }),
            () => RawDisk.ReadAsync(lease.FilePath, 1 << 20, 8, random: false, bytes));
        var cold = onDevice / (double)(bytes * windows);
        return
        [
            Ratio.Of("R1", "cold sequential blob read / fio", Speeds(measured), 0.85, 0.97, higherIsBetter: true),
            Ratio.Of("R2", "CPU per byte read / fio's", [.. measured.Select(pair => pair.Ours.CpuPerByte / Math.Max(pair.Peer.CpuPerByte, 1e-15))], 1.6, 1.15, higherIsBetter: false),
            Ratio.OfCount("R1c", "bytes that the kernel read for this process / bytes asked for (1 = cold)", cold, 1.05, 1.01),
        ];
    }

    private static async Task<Ratio> RandomAsync(BlobLease lease, string id, int blockBytes, long bytes, double floor, double target, int pairs)
    {
        const int Depth = 32;
        using var memory = new AlignedMemory((long)Depth * blockBytes);
        var blocks = (int)(bytes / blockBytes);
        var measured = await AlternateAsync(
            pairs,
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
        return Ratio.Of(id, $"random {blockBytes / 1024} KiB reads, 32 at once / fio", Speeds(measured), floor, target, higherIsBetter: true);
    }

    private static async Task<IEnumerable<Ratio>> CountsAsync(NvmeTier tier, BlobLease lease, MemoryStorage storage, long bytes)
    {
        using var memory = new AlignedMemory(bytes);
        await ReadWholeAsync(lease, memory);
        var before = tier.DeviceBytesRead;
        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        await ReadWholeAsync(lease, memory);
        allocated = GC.GetTotalAllocatedBytes(precise: true) - allocated;
        var device = tier.DeviceBytesRead - before;

        var gets = storage.Gets;
        await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Run(async () =>
        {
            await using var asker = await tier.OpenAsync(new BlobSource("asked", storage, "asked", 4 * Chunk, "v1"));
            await asker.FillAsync();
        })));
        return
        [
            Ratio.OfCount("R10", "device bytes / logical bytes of a warm read", device / (double)bytes, 1.05, 1.01),
            Ratio.OfCount("R10m", "managed bytes per MiB read", allocated / (bytes / 1048576.0), 1024, 64),
            Ratio.OfCount("R13", "object storage reads per cold chunk under 64 askers", (storage.Gets - gets) / 4.0, 1, 1),
            Ratio.OfCount("R39", "catalog bytes in memory per GB cached", tier.CatalogBytes * 1e9 / tier.UsedBytes, 65536, 24576),
        ];
    }

    private static async Task ReadWholeAsync(BlobLease lease, AlignedMemory memory)
    {
        for (var offset = 0L; offset < lease.LengthBytes; offset += Chunk)
        {
            await lease.ReadAsync(offset, memory.Slice(offset, (int)Math.Min(Chunk, lease.LengthBytes - offset)));
        }
    }

    /// <summary>Ours, peer, peer, ours, ours, peer ...: a drift of the machine falls on both sides.</summary>
    private static async Task<List<(Window Ours, Window Peer)>> AlternateAsync(int pairs, Func<Task<Window>> ours, Func<Task<Window>> peer)
    {
        var measured = new List<(Window Ours, Window Peer)>();
        await ours();
        await peer();
        for (var pair = 0; pair < pairs; pair++)
        {
            if (pair % 2 == 0)
            {
                var mine = await ours();
                measured.Add((mine, await peer()));
            }
            else
            {
                var theirs = await peer();
                measured.Add((await ours(), theirs));
            }
        }

        return measured;
    }

    private static List<double> Speeds(IEnumerable<(Window Ours, Window Peer)> measured) => [.. measured.Select(pair => pair.Ours.BytesPerSecond / pair.Peer.BytesPerSecond)];

    private static long ReadBytes() => File.Exists("/proc/self/io")
        ? long.Parse(File.ReadLines("/proc/self/io").First(line => line.StartsWith("read_bytes:", StringComparison.Ordinal))["read_bytes:".Length..], CultureInfo.InvariantCulture)
        : 0;

    private static int Option(string[] args, string name, int otherwise)
    {
        var at = Array.IndexOf(args, name);
        return at >= 0 && at + 1 < args.Length ? int.Parse(args[at + 1], CultureInfo.InvariantCulture) : otherwise;
    }
}
