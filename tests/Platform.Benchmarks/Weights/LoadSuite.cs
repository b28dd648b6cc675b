using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Platform.Benchmarks.Tier;
using Platform.DataPlane.Weights;

namespace Platform.Benchmarks.Weights;

/// <summary>R14, R15, R18: a load from NVMe into host memory beside the raw disk, and beside the page faults of a mapped file, which is how weights are usually opened.</summary>
internal static partial class LoadSuite
{
    private const int PageBytes = 4096;
    private const int DontNeed = 4;

    public static async IAsyncEnumerable<Ratio> RunAsync(WeightsRun run)
    {
        await using var tier = await WeightsRun.OpenTierAsync(run.Folder);
        await run.SealAsync(tier);
        await using var file = await run.WeightsFileAsync(tier);
        var firsts = new List<double>();
        async Task<Window> Load() => await Window.MeasureAsync(async () =>
        {
            var report = await run.LoadAsync(new ModelStager(tier));
            firsts.Add(report.FirstTensor!.Value / report.Completed!.Value);
            return report.TotalBytes;
        });

        var raw = await TierRun.AlternateAsync(run.Pairs, Load, () => WeightsRun.RawReadAsync(file));
        yield return Ratio.Of("R14", "load from NVMe into memory / the same bytes at the speed of the raw disk", [.. raw.Select(pair => pair.Peer.BytesPerSecond / pair.Ours.BytesPerSecond)], 1.15, 1.03, higherIsBetter: false);
        yield return Ratio.Of("R18", "first tensor ready / last tensor ready", firsts, 0.10, 0.02, higherIsBetter: false);

        var mapped = await TierRun.AlternateAsync(run.Pairs, Load, () => FaultAsync(file.FilePath));
        yield return Ratio.Of("R15", "speed of the load / mmap and a fault per page, page cache dropped before", TierRun.Speeds(mapped), 1.5, 2.5, higherIsBetter: true);
        yield return Ratio.Of("R15c", $"CPU of the load / mmap's, {TierRun.MillisecondsPerGigabyte(mapped)}", TierRun.CpuPerByte(mapped), 0.15, 0.05, higherIsBetter: false);
    }

    private static Task<Window> FaultAsync(string path)
    {
        using (var handle = File.OpenHandle(path))
        {
            _ = Advise(handle, 0, 0, DontNeed);
        }

        return Window.MeasureAsync(() =>
        {
            using var mapping = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
            using var view = mapping.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            var sum = 0L;
            for (var offset = 0L; offset < view.Capacity; offset += PageBytes)
            {
                sum += view.ReadByte(offset);
            }

            return Task.FromResult(sum < 0 ? 0 : view.Capacity);
        });
    }

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int Advise(SafeFileHandle file, long offset, long length, int advice);
}
