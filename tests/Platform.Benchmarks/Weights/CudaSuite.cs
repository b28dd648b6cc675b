using Platform.Benchmarks.Tier;
using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.Weights;

namespace Platform.Benchmarks.Weights;

/// <summary>R40: a model that wakes from pinned host memory onto an NVIDIA device beside one pinned copy of the same size; then the whole way from the tier's file to the device.</summary>
internal static class CudaSuite
{
    private const int CopyBytes = 256 << 20;

    public static async IAsyncEnumerable<Ratio> RunAsync(WeightsRun run)
    {
        using var accelerator = Accelerators.TryCuda(out var reason);
        if (accelerator is null)
        {
            await Console.Error.WriteLineAsync($"R40 is skipped: {reason}.");
            yield break;
        }

        await Console.Error.WriteLineAsync($"R40 on {accelerator.Info}, {accelerator.ReadHealth()}");
        await using var tier = await WeightsRun.OpenTierAsync(run.Folder);
        var arena = new DeviceArena(accelerator, 4 * run.TotalBytes);
        using var images = new HostImages(2 * run.TotalBytes, accelerator.AllocatePinned);
        var stager = new ModelStager(tier, null, null, images);
        await run.LoadAsync(stager, arena);

        using var stream = accelerator.OpenStream();
        using var pinned = accelerator.AllocatePinned(CopyBytes);
        using var buffer = accelerator.TryAllocate(CopyBytes)!;
        async Task<Window> Limit() => await Window.MeasureAsync(async () =>
        {
            await stream.CopyToDeviceAsync(pinned.Slice(0, CopyBytes), buffer, 0);
            return CopyBytes;
        });

        var woken = await TierRun.AlternateAsync(run.Pairs, () => Window.MeasureAsync(async () => (await run.LoadAsync(stager, arena)).HostBytes), Limit);
        yield return Ratio.Of("R40", "host memory to device / one pinned copy", TierRun.Speeds(woken), 0.85, 0.97, higherIsBetter: true);

        await using var file = await run.WeightsFileAsync(tier);
        var loads = await TierRun.AlternateAsync(run.Pairs, () => Window.MeasureAsync(async () => (await run.LoadAsync(new ModelStager(tier), arena)).TotalBytes), () => WeightsRun.RawReadAsync(file));
        yield return Ratio.Of("R40n", "NVMe file to device / the raw disk", TierRun.Speeds(loads), 0.85, 0.97, higherIsBetter: true);
    }
}
