using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Tiering;

namespace Platform.UnitTests.Nvme;

/// <summary>Opening takes work by what is in the tier, not by what ever happened to it. By count: the bytes that a process of its own asks the kernel for while it opens.</summary>
public sealed class NvmeTierOpenCostTests : IDisposable
{
    private const int MetadataBytes = 4 << 20;
    private const int Blobs = 40;
    private const int BlockBytes = 16 << 20;

    // The catalog's log is rewritten when it is larger than this and than three times what it holds; the commit record, page ends and block sizes come on top.
    private const int HistoryBytes = MetadataBytes / 4;
    private const int SlackBytes = 256 * 1024;
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Open_AfterALongHistory_ReadsNoMoreThanAFreshTierOfTheSameContent()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The kernel's count of bytes read is Linux's.");
        var fresh = await OpenAfterAsync(generations: 1);
        var long10 = await OpenAfterAsync(generations: 10);
        var long20 = await OpenAfterAsync(generations: 20);

        Assert.All([long10, long20], cost => Assert.Equal((Blobs, fresh.CatalogBytes), (cost.Blobs, cost.CatalogBytes)));
        Assert.All([long10, long20], cost => Assert.InRange(cost.ReadBytes, 1, fresh.ReadBytes + HistoryBytes + SlackBytes));
        Assert.All([long10, long20], cost => Assert.InRange(cost.CatalogFileBytes, 1, fresh.CatalogFileBytes + (2 * HistoryBytes)));
        Assert.InRange(long20.WrittenBytes, 4 * HistoryBytes, long.MaxValue);
    }

    [Fact]
    public async Task Open_BlocksWrittenManyTimes_ReadsTheirSpaceTwiceAtMost()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The kernel's count of bytes read is Linux's.");
        var folder = _folder["blocks"];
        await using (var tier = await OpenAsync(folder, blocks: true))
        {
            await Parallel.ForAsync(0, 800, new ParallelOptions { MaxDegreeOfParallelism = 32, CancellationToken = Token }, async (i, _) =>
                await tier.Blocks!.PutAsync($"block-{i % 50}", Pattern.Bytes(60_000, i), Token));
            Assert.InRange(tier.Blocks!.Device.BytesWritten, 2 * BlockBytes, long.MaxValue);
        }

        // Once to check them, once to index them.
        Assert.InRange((await OpenInAProcessAsync(folder)).ReadBytes, BlockBytes, (2 * BlockBytes) + SlackBytes);
    }

    /// <summary>Opens a tier twice, the first time an empty one, so that of the second nothing is counted but its own; says how many blobs it has, the catalog's bytes and the bytes read.</summary>
    internal static async Task ChildMain(string[] args)
    {
        var blocks = Directory.Exists(Path.Combine(args[0], "blocks"));
        await using (await OpenAsync(args[0] + "-empty", blocks))
        {
        }

        var before = ReadBytes();
        await using var tier = await OpenAsync(args[0], blocks);

        // The kernel does not count what its ring reads, which serves the device of the blocks.
        var read = ReadBytes() - before + (tier.Blocks?.Device.BytesRead ?? 0);
        var blobs = await tier.ListAsync();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{blobs.Count} {tier.CatalogBytes} {read}"));
    }

    /// <summary>Gives every blob so many versions, removes and pins some in between, and has another process open what is left.</summary>
    private async Task<Cost> OpenAfterAsync(int generations)
    {
        var folder = _folder[$"history-{generations}"];
        var longName = new string('n', 450);
        long written;
        await using (var tier = await OpenAsync(folder, blocks: false))
        {
            for (var generation = 1; generation <= generations; generation++)
            {
                var content = Pattern.Bytes(700, generation);
                await Parallel.ForAsync(0, Blobs, new ParallelOptions { MaxDegreeOfParallelism = Blobs, CancellationToken = Token }, async (i, _) =>
                {
                    var key = $"{longName}/{i}";
                    if (i % 3 == 0)
                    {
                        await tier.RemoveAsync(key, Token);
                        await tier.PinAsync(key, Token);
                        await tier.UnpinAsync(key, Token);
                    }

                    await tier.PutAsync(key, TierClass.Checkpoints, content, Token);
                });
            }

            written = tier.CatalogDevice.BytesWritten;
        }

        return await OpenInAProcessAsync(folder) with { WrittenBytes = written };
    }

    private static async Task<Cost> OpenInAProcessAsync(string folder)
    {
        var catalogFiles = new DirectoryInfo(Path.Combine(folder, "catalog")).EnumerateFiles().Sum(file => file.Length);
        using var child = ChildProgram.Start(typeof(NvmeTierOpenCostTests), folder);
        var words = (await child.StandardOutput.ReadToEndAsync(Token)).Split(' ');
        await child.WaitForExitAsync(Token);
        return new Cost(int.Parse(words[0], CultureInfo.InvariantCulture), long.Parse(words[1], CultureInfo.InvariantCulture), long.Parse(words[2], CultureInfo.InvariantCulture), catalogFiles, WrittenBytes: 0);
    }

    private static Task<NvmeTier> OpenAsync(string folder, bool blocks) => NvmeTier.OpenAsync(
        new NvmeTierOptions { Folder = folder, ChunkBytes = 4096, MetadataBytes = MetadataBytes, LimitBytes = MetadataBytes + (64 << 20), BlockBytes = blocks ? BlockBytes : 0 },
        NullLogger.Instance);

    /// <summary>Bytes that this process has asked the kernel for, from the page cache or not.</summary>
    private static long ReadBytes() =>
        long.Parse(File.ReadLines("/proc/self/io").First(line => line.StartsWith("rchar:", StringComparison.Ordinal)).AsSpan(6), CultureInfo.InvariantCulture);

    private sealed record Cost(int Blobs, long CatalogBytes, long ReadBytes, long CatalogFileBytes, long WrittenBytes);
}
