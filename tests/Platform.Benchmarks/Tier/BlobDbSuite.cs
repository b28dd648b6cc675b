using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Tiering;

namespace Platform.Benchmarks.Tier;

/// <summary>R7: values of 1 MiB, put durably by four writers and read cold by four readers, beside RocksDB with blob files and the same promises (<c>sync</c>, direct reads, no compression).</summary>
internal static partial class BlobDbSuite
{
    private const int ValueBytes = 1 << 20;
    private const int Workers = 4;

    // A window of db_bench opens and closes a database, so there are fewer of them than of the others.
    private const int MostPairs = 9;

    public static async IAsyncEnumerable<Ratio> RunAsync(TierRun run)
    {
        if (!(Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(path => File.Exists(Path.Combine(path, "db_bench"))))
        {
            await Console.Error.WriteLineAsync("R7 is left out: db_bench is not installed (apt-get install rocksdb-tools).");
            yield break;
        }

        var values = (int)(run.Bytes / ValueBytes);
        var pairs = Math.Min(run.Pairs, MostPairs);
        var peer = new Peer(Path.Combine(run.Folder, "rocksdb"), values);
        await using var tier = await run.OpenTierAsync("values", VerificationPolicy.Always);
        var put = await TierRun.AlternateAsync(pairs, () => PutAsync(tier, values), peer.PutAsync);
        yield return Ratio.Of("R7p", $"1 MiB durable puts, {Workers} writers / RocksDB BlobDB", TierRun.Speeds(put), 2, 4, higherIsBetter: true);
        var got = await TierRun.AlternateAsync(pairs, () => GetAsync(tier, values), peer.GetAsync);
        yield return Ratio.Of("R7g", $"1 MiB cold gets, {Workers} readers / RocksDB BlobDB", TierRun.Speeds(got), 2, 4, higherIsBetter: true);
    }

    private static async Task<Window> PutAsync(NvmeTier tier, int values)
    {
        foreach (var blob in await tier.ListAsync())
        {
            await tier.RemoveAsync(blob.Key);
        }

        var bytes = new byte[ValueBytes];
        new Random(1).NextBytes(bytes);
        return await Window.MeasureAsync(async () =>
        {
            await EachAsync(values, async (index, _) => await tier.PutAsync($"value-{index}", TierClass.Checkpoints, new MemoryStream(bytes, writable: false), ValueBytes));
            return (long)values * ValueBytes;
        });
    }

    private static Task<Window> GetAsync(NvmeTier tier, int values) => Window.MeasureAsync(async () =>
    {
        using var memory = new AlignedMemory(Workers * ValueBytes);
        await EachAsync(values, async (index, worker) =>
        {
            await using var lease = tier.TryOpen($"value-{(index * 7919) % values}")!;
            await lease.ReadAsync(0, memory.Slice((long)worker * ValueBytes, ValueBytes));
        });
        return (long)values * ValueBytes;
    });

    private static Task EachAsync(int count, Func<int, int, Task> work)
    {
        var next = -1;
        return Task.WhenAll(Enumerable.Range(0, Workers).Select(worker => Task.Run(async () =>
        {
            while (Interlocked.Increment(ref next) is var index && index < count)
            {
                await work(index, worker);
            }
        })));
    }

    /// <summary>RocksDB's own benchmark, on a database beside the tier.</summary>
    private sealed partial class Peer(string folder, int count)
    {
        public Task<Window> PutAsync() => RunAsync("fillrandom", "--sync=1", $"--num={count / Workers}");

        public Task<Window> GetAsync() => RunAsync("readrandom", "--use_existing_db=1", $"--num={count}", $"--reads={count / Workers}");

        private async Task<Window> RunAsync(params string[] arguments)
        {
            string[] all =
            [
                $"--benchmarks={arguments[0]}", $"--db={folder}", $"--threads={Workers}", $"--value_size={ValueBytes}", "--enable_blob_files=1", "--min_blob_size=4096",
                "--use_direct_reads=1", "--use_direct_io_for_flush_and_compaction=1", "--compression_type=none", "--cache_size=1048576", .. arguments[1..],
            ];
            using var process = Process.Start(new ProcessStartInfo("db_bench", all) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
            var errors = process.StandardError.ReadToEndAsync();
            var output = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            if (process.ExitCode != 0 || Speed().Match(output) is not { Success: true } speed)
            {
                throw new InvalidOperationException($"db_bench failed ({process.ExitCode}): {await errors} {output}");
            }

            // Keys are random, with repetitions: some that are asked for were never written, and cost nothing.
            var values = Found().Match(output) is { Success: true } found ? found.Groups["found"] : speed.Groups["operations"];
            var bytes = long.Parse(values.Value, CultureInfo.InvariantCulture) * ValueBytes;
            return new Window(bytes, double.Parse(speed.Groups["seconds"].Value, CultureInfo.InvariantCulture), 0);
        }

        [GeneratedRegex(@"\((?<found>[0-9]+) of [0-9]+ found\)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
        private static partial Regex Found();

        [GeneratedRegex(@"(?<seconds>[0-9.]+) seconds (?<operations>[0-9]+) operations", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
        private static partial Regex Speed();
    }
}
