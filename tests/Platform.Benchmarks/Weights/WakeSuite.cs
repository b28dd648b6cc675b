using Platform.Benchmarks.Tier;
using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.DeviceMemory.Host;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Weights;

namespace Platform.Benchmarks.Weights;

/// <summary>R16: a model that wakes from host memory beside one thread that copies as many bytes past the caches and does nothing else.</summary>
internal static class WakeSuite
{
    public static async IAsyncEnumerable<Ratio> RunAsync(WeightsRun run)
    {
        await using var tier = await WeightsRun.OpenTierAsync(run.Folder);
        using var accelerator = new HostAccelerator(new HostAcceleratorOptions { CapacityBytes = 2 * run.TotalBytes, KeptBytes = 2 * run.TotalBytes });
        var arena = new DeviceArena(accelerator);
        using var images = new HostImages(2 * run.TotalBytes, accelerator.AllocatePinned);
        var stager = new ModelStager(tier, null, null, images);
        await run.LoadAsync(stager, arena);

        using var source = new AlignedMemory(run.TotalBytes);
        using var target = new AlignedMemory(run.TotalBytes);
        source.Slice(0, (int)run.TotalBytes).Span.Fill(1);
        var measured = await TierRun.AlternateAsync(
            run.Pairs,
            () => Window.MeasureAsync(async () => (await run.LoadAsync(stager, arena)).HostBytes),
            () => Window.MeasureAsync(() =>
            {
                StreamingCopy.Run(source.Slice(0, (int)run.TotalBytes).Span, target.Slice(0, (int)run.TotalBytes).Span);
                return Task.FromResult(run.TotalBytes);
            }));
        yield return Ratio.Of("R16", "wake from host memory / a streaming-store copy of one thread", TierRun.Speeds(measured), 0.85, 0.97, higherIsBetter: true);
    }
}
