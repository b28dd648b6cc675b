using Platform.Benchmarks.Tier;
using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.DeviceMemory.Cuda;
using Platform.DataPlane.Weights;

namespace Platform.Benchmarks.Weights;

/// <summary>R40: a model that wakes from pinned host memory onto an NVIDIA device beside one pinned copy of the same size; then the whole way from the tier's file to the device, from NVMe and from a file system in memory.</summary>
internal static class CudaSuite
{
    private const string RamFolder = "/dev/shm";

    public static async IAsyncEnumerable<Ratio> RunAsync(WeightsRun run)
    {
        using var accelerator = Accelerators.TryCuda(out var reason, new CudaAcceleratorOptions { KeptBytes = 2 * run.TotalBytes });
        if (accelerator is null)
        {
            await Console.Error.WriteLineAsync($"R40 is skipped: {reason}.");
            yield break;
        }

        await Console.Error.WriteLineAsync($"R40 on {accelerator.Info}, {accelerator.ReadHealth()}");
        var arena = new DeviceArena(accelerator, 4 * run.TotalBytes);
        yield return Of("R40", "host memory to device / one pinned copy", await WakeAsync(run, accelerator, arena));
        yield return Of("R40n", "NVMe file to device / the raw disk", await LoadAsync(run, run.Folder, arena));

        if (Directory.Exists(RamFolder))
        {
            var folder = Path.Combine(RamFolder, Path.GetFileName(run.Folder));
            try
            {
                yield return Of("R40r", "file in RAM to device / raw reads of that file", await LoadAsync(run, folder, arena));
            }
            finally
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    private static Ratio Of(string id, string what, IReadOnlyList<(Window Ours, Window Peer)> measured) =>
        Ratio.Of(id, $"{what}, {TierRun.GigabytesPerSecond(measured)}", TierRun.Speeds(measured), 0.85, 0.97, higherIsBetter: true);

    private static async Task<IReadOnlyList<(Window Ours, Window Peer)>> WakeAsync(WeightsRun run, IAccelerator accelerator, DeviceArena arena)
    {
        await using var tier = await WeightsRun.OpenTierAsync(run.Folder);
        using var images = new HostImages(2 * run.TotalBytes, accelerator.AllocatePinned);
        var stager = new ModelStager(tier, null, null, images);
        await run.LoadAsync(stager, arena);

        using var stream = accelerator.OpenStream();
        using var pinned = accelerator.AllocatePinned(run.TotalBytes);
        using var buffer = accelerator.TryAllocate(run.TotalBytes)!;
        var all = pinned.Slice(0, checked((int)run.TotalBytes));
        all.Span.Fill(1);
        return await TierRun.AlternateAsync(
            run.Pairs,
            () => Window.MeasureAsync(async () => (await run.LoadAsync(stager, arena)).HostBytes),
            () => Window.MeasureAsync(async () =>
            {
                await stream.CopyToDeviceAsync(all, buffer, 0);
                return run.TotalBytes;
            }));
    }

    private static async Task<IReadOnlyList<(Window Ours, Window Peer)>> LoadAsync(WeightsRun run, string folder, DeviceArena arena)
    {
        await using var tier = await WeightsRun.OpenTierAsync(folder);
        await run.SealAsync(tier);
        await using var file = await run.WeightsFileAsync(tier);
        return await TierRun.AlternateAsync(
            run.Pairs,
            () => Window.MeasureAsync(async () => (await run.LoadAsync(new ModelStager(tier, run.Stager), arena)).TotalBytes),
            () => WeightsRun.RawReadAsync(file));
    }
}
