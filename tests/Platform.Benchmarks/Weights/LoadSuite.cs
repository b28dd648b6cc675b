using System.Buffers;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Platform.Benchmarks.Tier;
using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.DeviceMemory.Host;
using Platform.DataPlane.Weights;

namespace Platform.Benchmarks.Weights;

/// <summary>R14, R15, R18: a load from NVMe onto a device that is host memory, beside the raw disk, and beside a mapped file, which is how weights are usually opened.</summary>
/// <remarks>
/// Both arms end with the bytes in memory of the same device, whose pages are there already. R15 maps as engines do and lets the kernel read ahead, which then faults once per 64 KiB;
/// R15f tells it that access is at random, so that every page is a fault and a read of its own, which is what mapped weights cost where reading ahead does not help.
/// </remarks>
internal static partial class LoadSuite
{
    private const int Normal = 0;
    private const int AtRandom = 1;
    private const int DontNeed = 4;

    public static async IAsyncEnumerable<Ratio> RunAsync(WeightsRun run)
    {
        await using var tier = await WeightsRun.OpenTierAsync(run.Folder);
        await run.SealAsync(tier);
        await using var file = await run.WeightsFileAsync(tier);
        using var accelerator = new HostAccelerator(new HostAcceleratorOptions { CapacityBytes = 2 * run.TotalBytes, KeptBytes = 2 * run.TotalBytes });
        var arena = new DeviceArena(accelerator);
        var stager = new ModelStager(tier);
        var reports = new List<StagingReport>();
        async Task<Window> Load() => await Window.MeasureAsync(async () =>
        {
            var report = await run.LoadAsync(stager, arena);
            reports.Add(report);
            return report.TotalBytes;
        });

        var raw = await TierRun.AlternateAsync(run.Pairs, Load, () => WeightsRun.RawReadAsync(file));
        yield return Ratio.Of("R14", "load from NVMe onto the device / the same bytes at the speed of the raw disk", [.. raw.Select(pair => pair.Peer.BytesPerSecond / pair.Ours.BytesPerSecond)], 1.15, 1.03, higherIsBetter: false);
        var what = $"first tensor ready / last tensor ready; medians: tensors known {Median(reports, static report => report.Opened)} ms, first {Median(reports, static report => report.FirstTensor!.Value)}, last {Median(reports, static report => report.Completed!.Value)}";
        yield return Ratio.Of("R18", what, [.. reports.Select(report => report.FirstTensor!.Value / report.Completed!.Value)], 0.10, 0.02, higherIsBetter: false);

        foreach (var (id, how, advice) in ((string, string, int)[])[("R15", "mmap, the kernel reading ahead", Normal), ("R15f", "mmap with a fault per page", AtRandom)])
        {
            var mapped = await TierRun.AlternateAsync(run.Pairs, Load, () => MapAsync(file.FilePath, accelerator, advice));
            yield return Ratio.Of(id, $"speed of the load / {how}, copied onto the same device", TierRun.Speeds(mapped), 1.5, 2.5, higherIsBetter: true);
            yield return Ratio.Of($"{id}c", $"CPU of the load / the same, {TierRun.MillisecondsPerGigabyte(mapped)}", TierRun.CpuPerByte(mapped), 0.15, 0.05, higherIsBetter: false);
        }
    }

    private static double Median(List<StagingReport> reports, Func<StagingReport, TimeSpan> what) => Math.Round(reports.Select(report => what(report).TotalMilliseconds).Order().ElementAt(reports.Count / 2), 1);

    /// <summary>As loaders of safetensors do it: the file is mapped, nothing of it in the page cache, and each tensor copied onto the device, which faults its pages in.</summary>
    private static async Task<Window> MapAsync(string path, HostAccelerator accelerator, int advice)
    {
        using (var handle = File.OpenHandle(path))
        {
            _ = Advise(handle, 0, 0, DontNeed);
        }

        return await Window.MeasureAsync(async () =>
        {
            using var mapping = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
            using var view = mapping.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
            using var mapped = new MappedMemory(view);
            _ = Advise(mapped.Start, (nuint)mapped.Memory.Length, advice);
            var header = SafetensorsHeader.Parse(path, mapped.Memory.Span, mapped.Memory.Length);
            using var buffer = accelerator.TryAllocate(header.FileLengthBytes - header.DataOffsetBytes)!;
            using var stream = accelerator.OpenStream();
            foreach (var tensor in header.Tensors.Values.OrderBy(tensor => tensor.OffsetBytes))
            {
                await stream.CopyToDeviceAsync(mapped.Memory.Slice((int)tensor.OffsetBytes, (int)tensor.LengthBytes), buffer, tensor.OffsetBytes - header.DataOffsetBytes);
            }

            return header.FileLengthBytes;
        });
    }

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int Advise(SafeFileHandle file, long offset, long length, int advice);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint start, nuint lengthBytes, int advice);

    /// <summary>A mapped file as memory.</summary>
    private sealed unsafe class MappedMemory : MemoryManager<byte>
    {
        private readonly MemoryMappedViewAccessor _view;
        private readonly byte* _start;

        public MappedMemory(MemoryMappedViewAccessor view)
        {
            _view = view;
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
        }

        public nint Start => (nint)_start;

        public override Span<byte> GetSpan() => new(_start, (int)_view.Capacity);

        public override MemoryHandle Pin(int elementIndex = 0) => new(_start + elementIndex);

        public override void Unpin()
        {
            // It does not move.
        }

        protected override void Dispose(bool disposing) => _view.SafeMemoryMappedViewHandle.ReleasePointer();
    }
}
