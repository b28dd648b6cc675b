using System.Globalization;
using Platform.Benchmarks.Tier;
using Platform.DataPlane.Weights;

namespace Platform.Benchmarks.Weights;

/// <summary>R17: a cold load through an object store of a set speed beside the slower of network and disk alone.</summary>
internal static class NetworkSuite
{
    public static async IAsyncEnumerable<Ratio> RunAsync(WeightsRun run)
    {
        await using var tier = await WeightsRun.OpenTierAsync(run.Folder);
        var disk = new RawDisk(run.Folder);
        var diskRate = (await disk.WriteAsync(run.TotalBytes, 1 << 20, 8)).BytesPerSecond;
        foreach (var (id, factor) in ((string, double)[])[("R17a", 0.5), ("R17b", 1), ("R17c", 2)])
        {
            var rate = factor * diskRate;
            var storage = new ThrottledStorage(WeightsRun.Storage(run.Folder), rate);
            var files = await WeightsRun.FilesAsync(storage);
            var measured = await TierRun.AlternateAsync(
                Math.Max(3, run.Pairs / 2),
                async () =>
                {
                    foreach (var file in files.Files)
                    {
                        await tier.RemoveAsync(file.ObjectKey);
                    }

                    return await Window.MeasureAsync(async () =>
                    {
                        await using var staged = await new ModelStager(tier).StageAsync(files);
                        await staged.Completion;
                        return staged.Report.TotalBytes;
                    });
                },
                () => disk.WriteAsync(run.TotalBytes, 1 << 20, 8));
            yield return Ratio.Of(
                id,
                string.Create(CultureInfo.InvariantCulture, $"cold load, network at {factor} of the disk ({rate / 1e6:0} MB/s) / the slower of both alone"),
                [.. measured.Select(pair => pair.Ours.Seconds / Math.Max(run.TotalBytes / rate, pair.Peer.Seconds))],
                1.15,
                1.05,
                higherIsBetter: false);
        }
    }
}
