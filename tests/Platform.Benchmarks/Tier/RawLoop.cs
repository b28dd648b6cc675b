using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme.Io;

namespace Platform.Benchmarks.Tier;

/// <summary>Blocking direct reads and writes, one thread per block in flight: the plainest way to use a disk.</summary>
internal static class RawLoop
{
    public static Task<Window> ReadAsync(string file, int blockBytes, int threads, bool random, long bytes) => Window.MeasureAsync(async () =>
    {
        using var handle = OpenDirect(file, FileMode.Open);
        var places = RandomAccess.GetLength(handle) / blockBytes;
        var last = bytes / blockBytes;
        return await RunAsync(threads, blockBytes, last, (block, span, generator) =>
            RandomAccess.Read(handle, span, (random ? generator.NextInt64(places) : block % places) * blockBytes));
    });

    public static Task<Window> WriteAsync(string file, long bytes, int blockBytes, int threads) => Window.MeasureAsync(async () =>
    {
        using var handle = OpenDirect(file, FileMode.Create);
        Posix.Allocate(handle, bytes);
        var moved = await RunAsync(threads, blockBytes, bytes / blockBytes, (block, span, _) => RandomAccess.Write(handle, span, block * blockBytes));
        Posix.SyncData(handle);
        return moved;
    });

    private static Microsoft.Win32.SafeHandles.SafeFileHandle OpenDirect(string file, FileMode mode)
    {
        var handle = File.OpenHandle(file, mode, FileAccess.ReadWrite, FileShare.ReadWrite);
        Posix.TrySetDirect(handle);
        return handle;
    }

    private delegate void Transfer(long block, Span<byte> span, Random generator);

    private static async Task<long> RunAsync(int threads, int blockBytes, long blocks, Transfer transfer)
    {
        var next = -1L;
        await Task.WhenAll(Enumerable.Range(0, threads).Select(number => Task.Factory.StartNew(
            () =>
            {
                using var memory = new AlignedMemory(blockBytes);
                var generator = new Random(number);
                while (Interlocked.Increment(ref next) is var block && block < blocks)
                {
                    transfer(block, memory.Slice(0, blockBytes).Span, generator);
                }
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default)));
        return blocks * blockBytes;
    }
}
