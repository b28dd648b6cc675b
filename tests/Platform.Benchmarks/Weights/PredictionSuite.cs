using System.Globalization;
using Platform.Benchmarks.Tier;
using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.DeviceMemory.Host;
using Platform.DataPlane.Weights;

namespace Platform.Benchmarks.Weights;

/// <summary>R22: how far the predicted duration of a load is from what it took, over loads from NVMe and from host memory in turn.</summary>
internal static class PredictionSuite
{
    private const double Percentile = 0.9;

    public static async IAsyncEnumerable<Ratio> RunAsync(WeightsRun run)
    {
        await using var tier = await WeightsRun.OpenTierAsync(run.Folder);
        await run.SealAsync(tier);
        using var accelerator = new HostAccelerator(new HostAcceleratorOptions { CapacityBytes = 2 * run.TotalBytes, KeptBytes = 2 * run.TotalBytes });
        var arena = new DeviceArena(accelerator);
        using var images = new HostImages(2 * run.TotalBytes, accelerator.AllocatePinned);
        var stager = new ModelStager(tier, null, null, images);
        var errors = new List<double>();
        List<double> ofNvme = [], ofMemory = [];
        for (var round = 0; round < run.Pairs; round++)
        {
            // Once from NVMe, once from the image that this left in host memory.
            images.Drop(WeightsRun.Model);
            for (var load = 0; load < 2; load++)
            {
                var predicted = stager.Estimate(run.Files).Duration;
                var report = await run.LoadAsync(stager, arena);
                if (predicted is { } duration && round > 0)
                {
                    var error = Math.Abs(duration / report.Completed!.Value - 1);
                    errors.Add(error);
                    (load == 0 ? ofNvme : ofMemory).Add(error);
                }
            }
        }

        var apart = string.Create(CultureInfo.InvariantCulture, $"{At(ofNvme):0.000} from NVMe, {At(ofMemory):0.000} from host memory");
        yield return Ratio.OfCount("R22", $"error of the predicted duration of a load, 90th percentile of {errors.Count} loads; {apart}", At(errors), 0.30, 0.10);
    }

    private static double At(List<double> errors)
    {
        errors.Sort();
        return errors[(int)((errors.Count - 1) * Percentile)];
    }
}
