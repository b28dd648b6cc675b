using System.Runtime.InteropServices;
using FASTER.core;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme.Io;

namespace Platform.Benchmarks.Tier;

/// <summary>R4: our device and the one that FASTER brings for Linux, behind FASTER's own interface: 1 MiB at a time, 8 under way.</summary>
internal static partial class FasterDeviceSuite
{
    private const int BlockBytes = 1 << 20;
    private const int Depth = 8;

    public static async IAsyncEnumerable<Ratio> RunAsync(TierRun run)
    {
        var segmentBytes = (long)System.Numerics.BitOperations.RoundUpToPowerOf2((ulong)run.Bytes);
        using var memory = new AlignedMemory(Depth * BlockBytes);
        var folder = Directory.CreateDirectory(Path.Combine(run.Folder, "device")).FullName;
        var written = await TierRun.AlternateAsync(
            run.WritePairs,
            () =>
            {
                File.Delete(Path.Combine(folder, "ours.0"));
                return Window.MeasureAsync(() => WriteOursAsync(folder, segmentBytes, memory, run.Bytes));
            },
            () =>
            {
                File.Delete(Path.Combine(folder, "theirs.0"));
                return Window.MeasureAsync(() => WriteTheirsAsync(folder, segmentBytes, memory, run.Bytes));
            });
        yield return Ratio.Of("R4w", $"CPU per byte written / FASTER's Linux device; {TierRun.MillisecondsPerGigabyte(written)}", TierRun.CpuPerByte(written), 0.35, 0.20, higherIsBetter: false);

        var read = await TierRun.AlternateAsync(
            run.Pairs,
            () => Window.MeasureAsync(async () =>
            {
                using var device = new DirectDevice(new DirectDeviceOptions { Folder = folder, Prefix = "ours" });
                device.Initialize(segmentBytes);
                return await ReadAsync(device, memory, run.Bytes);
            }),
            async () =>
            {
                DropCache(Path.Combine(folder, "theirs.0"));
                return await Window.MeasureAsync(async () =>
                {
                    using var device = Devices.CreateLogDevice(Path.Combine(folder, "theirs"));
                    device.Initialize(segmentBytes);
                    return await ReadAsync(device, memory, run.Bytes);
                });
            });
        yield return Ratio.Of("R4r", $"CPU per byte read cold / FASTER's Linux device; {TierRun.MillisecondsPerGigabyte(read)}", TierRun.CpuPerByte(read), 0.35, 0.20, higherIsBetter: false);
        Directory.Delete(folder, recursive: true);
    }

    private static async Task<long> WriteOursAsync(string folder, long segmentBytes, AlignedMemory memory, long bytes)
    {
        using var device = new DirectDevice(new DirectDeviceOptions { Folder = folder, Prefix = "ours", Area = FaultArea.Blocks, Preallocates = true });
        device.Initialize(segmentBytes);
        await MoveAsync(bytes, (slot, offset, done) => device.WriteAsync(AddressOf(memory, slot), 0, (ulong)offset, BlockBytes, done, null!));
        device.Sync();
        return bytes;
    }

    private static async Task<long> WriteTheirsAsync(string folder, long segmentBytes, AlignedMemory memory, long bytes)
    {
        using var device = Devices.CreateLogDevice(Path.Combine(folder, "theirs"), preallocateFile: false);
        device.Initialize(segmentBytes);
        return await MoveAsync(bytes, (slot, offset, done) => device.WriteAsync(AddressOf(memory, slot), 0, (ulong)offset, BlockBytes, done, null!));
    }

    private static Task<long> ReadAsync(IDevice device, AlignedMemory memory, long bytes) =>
        MoveAsync(bytes, (slot, offset, done) => device.ReadAsync(0, (ulong)offset, AddressOf(memory, slot), BlockBytes, done, null!));

    private static async Task<long> MoveAsync(long bytes, Action<int, long, DeviceIOCompletionCallback> start)
    {
        var next = -1L;
        await Task.WhenAll(Enumerable.Range(0, Depth).Select(slot => Task.Run(async () =>
        {
            while (Interlocked.Increment(ref next) * BlockBytes is var offset && offset < bytes)
            {
                var done = new TaskCompletionSource<uint>(TaskCreationOptions.RunContinuationsAsynchronously);
                start(slot, offset, (error, _, _) => done.SetResult(error));
                if (await done.Task is var error and not 0)
                {
                    throw new IOException($"the device answered with error {error}");
                }
            }
        })));
        return bytes;
    }

    private static unsafe nint AddressOf(AlignedMemory memory, int slot)
    {
        using var pin = memory.Slice((long)slot * BlockBytes, BlockBytes).Pin();
        return (nint)pin.Pointer;
    }

    private static void DropCache(string path)
    {
        const int DontNeed = 4;
        using var file = File.OpenHandle(path);
        _ = FAdvise(file, 0, 0, DontNeed);
    }

    [LibraryImport("libc", EntryPoint = "posix_fadvise")]
    private static partial int FAdvise(SafeHandle file, long offset, long length, int advice);
}
