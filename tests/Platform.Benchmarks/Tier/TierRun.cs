using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane.Nvme;

namespace Platform.Benchmarks.Tier;

/// <summary>What the suites of one run share.</summary>
/// <param name="Folder">A folder of the run's own on the disk that is measured.</param>
/// <param name="Pairs">Pairs of windows for reads.</param>
/// <param name="WritePairs">Pairs of windows for writes, which vary more.</param>
/// <param name="Bytes">Bytes that a window moves.</param>
internal sealed record TierRun(string Folder, int Pairs, int WritePairs, long Bytes)
{
    public const int Chunk = 8 << 20;

    /// <summary>Opens a tier of its own with room for two windows.</summary>
    public Task<NvmeTier> OpenTierAsync(string name, VerificationPolicy verification = VerificationPolicy.First) => NvmeTier.OpenAsync(
        new NvmeTierOptions { Folder = Path.Combine(Folder, name), LimitBytes = (2 * Bytes) + (64L << 20), Verification = verification },
        NullLogger.Instance);

    /// <summary>An object of one window's length.</summary>
    public MemoryStorage Storage()
    {
        var pattern = new byte[Chunk + 4096];
        new Random(1).NextBytes(pattern);
        return new MemoryStorage(pattern, Bytes);
    }

    /// <summary>A blob of one window's length, sealed.</summary>
    public async Task<BlobLease> FillAsync(NvmeTier tier)
    {
        var lease = await tier.OpenAsync(new BlobSource("read", Storage(), "read", Bytes, "v1"));
        await lease.FillAsync(depth: 8);
        return lease;
    }

    /// <summary>Ours, peer, peer, ours, ours, peer ...: a drift of the machine falls on both sides.</summary>
    public static async Task<List<(Window Ours, Window Peer)>> AlternateAsync(int pairs, Func<Task<Window>> ours, Func<Task<Window>> peer)
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

    public static List<double> Speeds(IEnumerable<(Window Ours, Window Peer)> measured) => [.. measured.Select(pair => pair.Ours.BytesPerSecond / pair.Peer.BytesPerSecond)];

    public static List<double> CpuPerByte(IEnumerable<(Window Ours, Window Peer)> measured) => [.. measured.Select(pair => pair.Ours.CpuPerByte / Math.Max(pair.Peer.CpuPerByte, 1e-15))];

    /// <summary>What the speeds were in figures, for the text of a ratio.</summary>
    public static string GigabytesPerSecond(IReadOnlyList<(Window Ours, Window Peer)> measured)
    {
        var ours = measured.Select(pair => pair.Ours.BytesPerSecond).Order().ElementAt(measured.Count / 2) / 1e9;
        var peer = measured.Select(pair => pair.Peer.BytesPerSecond).Order().ElementAt(measured.Count / 2) / 1e9;
        return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{ours:0.0} and {peer:0.0} GB/s");
    }

    /// <summary>What CPU per byte was in figures, for the text of a ratio.</summary>
    public static string MillisecondsPerGigabyte(IReadOnlyList<(Window Ours, Window Peer)> measured)
    {
        var ours = measured.Select(pair => pair.Ours.CpuPerByte).Order().ElementAt(measured.Count / 2) * 1e12;
        var peer = measured.Select(pair => pair.Peer.CpuPerByte).Order().ElementAt(measured.Count / 2) * 1e12;
        return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{ours:0} and {peer:0} ms per GB");
    }
}
