using System.Globalization;
using Platform.DataPlane;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Nvme.Blocks;

namespace Platform.UnitTests.Nvme;

public sealed class BlockStoreTests : IDisposable
{
    private const int MiB = 1 << 20;
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Put_ManySizes_AreThereAlsoAfterReopen()
    {
        int[] sizes = [0, 1, 7, 8, 4095, 4096, 10_000, 65_535, 65_536];
        await using (var store = await Open())
        {
            await Task.WhenAll(sizes.Select(size => store.PutAsync($"key/{size}", Pattern.Bytes(size), Token).AsTask()));
            foreach (var size in sizes)
            {
                Assert.Equal(Pattern.Bytes(size), await store.GetAsync($"key/{size}", Token));
            }
        }

        await using var again = await Open();
        foreach (var size in sizes)
        {
            Assert.Equal(Pattern.Bytes(size), await again.GetAsync($"key/{size}", Token));
        }

        Assert.Null(await again.GetAsync("absent", Token));
    }

    [Fact]
    public async Task Put_OverwriteAndDelete_TheLastOneCounts_AlsoAfterReopen()
    {
        await using (var store = await Open())
        {
            await store.PutAsync("a", Pattern.Bytes(100, 1), Token);
            await store.PutAsync("a", Pattern.Bytes(5000, 2), Token);
            await store.PutAsync("b", Pattern.Bytes(100, 3), Token);
            await store.DeleteAsync("b", Token);
            await store.DeleteAsync("never there", Token);
        }

        await using var again = await Open();
        Assert.Equal(Pattern.Bytes(5000, 2), await again.GetAsync("a", Token));
        Assert.Null(await again.GetAsync("b", Token));
    }

    [Fact]
    public async Task Put_MoreThanMemory_ComesBackFromTheDevice()
    {
        await using var store = await Open(limit: 64 * MiB);
        await Task.WhenAll(Enumerable.Range(0, 400).Select(i => store.PutAsync($"{i}", Pattern.Bytes(40_000 + i, i), Token).AsTask()));

        var found = await Task.WhenAll(Enumerable.Range(0, 400).Select(i => store.GetAsync($"{i}", Token).AsTask()));

        Assert.All(found.Index(), item => Assert.Equal(Pattern.Bytes(40_000 + item.Index, item.Index), item.Item));
    }

    [Fact]
    public async Task Put_MoreThanTheLimit_TheOldestGo_AndTheFilesStayWithinIt_AlsoAfterReopen()
    {
        const int Count = 1000;
        await using (var store = await Open(limit: 16 * MiB))
        {
            for (var i = 0; i < Count; i += 50)
            {
                await Task.WhenAll(Enumerable.Range(i, 50).Select(number => store.PutAsync($"{number}", Pattern.Bytes(30_000, number), Token).AsTask()));
                Assert.InRange(store.FileBytes, 1, 16 * MiB);
            }

            await CheckNewestAsync(store, Count);
        }

        await using var again = await Open(limit: 16 * MiB);
        Assert.InRange(again.FileBytes, 1, 16 * MiB);
        await CheckNewestAsync(again, Count);
        await again.PutAsync("more", Pattern.Bytes(9), Token);
        Assert.Equal(Pattern.Bytes(9), await again.GetAsync("more", Token));
    }

    [Fact]
    public async Task Put_TooLarge_IsRefused()
    {
        await using var store = await Open();

        var error = await Assert.ThrowsAsync<StorageException>(() => store.PutAsync("k", new byte[BlockStore.MaxValueBytes + 1], Token).AsTask());

        Assert.Equal(StorageError.TooLarge, error.Error);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => store.PutAsync(new string('k', BlockStore.MaxKeyBytes + 1), default, Token).AsTask());
    }

    [Theory]
    [InlineData("blocks.write")]
    [InlineData("blocks.sync")]
    [InlineData("block-commit.write")]
    [InlineData("block-commit.sync")]
    public async Task Put_DiskFails_IsTyped_ReadsGoOn_AndSoDoesAllWhenItIsWell(string point)
    {
        var fails = false;
        await using (var store = await Open(faultPoint: at => Durable.DurableLogTests.ThrowIf(fails && at == point)))
        {
            await store.PutAsync("before", Pattern.Bytes(3000), Token);
            fails = true;
            for (var i = 0; i < 3; i++)
            {
                Assert.Equal(StorageError.Full, (await Assert.ThrowsAsync<StorageException>(() => store.PutAsync("during", Pattern.Bytes(3000), Token).AsTask())).Error);
                Assert.Equal(Pattern.Bytes(3000), await store.GetAsync("before", Token));
            }

            fails = false;
            await store.PutAsync("after", Pattern.Bytes(3000), Token);
            Assert.Equal(Pattern.Bytes(3000), await store.GetAsync("before", Token));
        }

        await using var again = await Open();
        Assert.Equal(Pattern.Bytes(3000), await again.GetAsync("before", Token));
        Assert.Equal(Pattern.Bytes(3000), await again.GetAsync("after", Token));
    }

    [Fact]
    public async Task Get_DiskFails_IsTyped_AndNothingElseHappens()
    {
        var fails = false;
        await using var store = await Open(faultPoint: at =>
        {
            if (fails && at == "blocks.read")
            {
                throw new IOException("Input/output error", 5);
            }
        });
        await Task.WhenAll(Enumerable.Range(0, 100).Select(i => store.PutAsync($"{i}", Pattern.Bytes(40_000, i), Token).AsTask()));

        fails = true;
        for (var i = 0; i < 10; i++)
        {
            Assert.Equal(StorageError.Io, (await Assert.ThrowsAsync<StorageException>(() => store.GetAsync($"{i}", Token).AsTask())).Error);
        }

        fails = false;
        for (var i = 0; i < 100; i++)
        {
            Assert.Equal(Pattern.Bytes(40_000, i), await store.GetAsync($"{i}", Token));
        }
    }

    /// <summary>More than memory holds and than the limit lets stay, so that appends wait for pages to be written, and checkpoints for the oldest ones.</summary>
    [Theory(Timeout = 300_000)]
    [InlineData("blocks.write")]
    [InlineData("blocks.sync")]
    [InlineData("blocks.read")]
    [InlineData("blocks.allocate")]
    [InlineData("block-commit.write")]
    [InlineData("block-commit.sync")]
    public async Task Work_DiskFailsNowAndThen_EveryCallComesBack_AndWhatWasAcknowledgedIsThere(string point)
    {
        const int Writers = 16;
        const int Rounds = 40;
        var passings = 0;
        var faults = 0;
        var failed = 0;
        var every = point == "blocks.allocate" ? 5 : 23;
        var store = await Open(limit: 16 * MiB, faultPoint: at =>
        {
            if (at == point && Interlocked.Increment(ref passings) % every == 0)
            {
                Interlocked.Increment(ref faults);
                throw new IOException("Input/output error", 5);
            }
        });
        await using (store)
        {
            await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Run(async () =>
            {
                for (var round = 0; round < Rounds; round++)
                {
                    var key = $"{writer}/{round}";
                    var size = 20_000 + (writer * 1000) + round;
                    try
                    {
                        await store.PutAsync(key, Pattern.Bytes(size, round), Token);
                        Assert.Equal(Pattern.Bytes(size, round), await store.GetAsync(key, Token));
                        if (round >= 8)
                        {
                            // Out of memory by now, and lost only if it was never acknowledged.
                            var old = await store.GetAsync($"{writer}/{round - 8}", Token);
                            Assert.True(old is null || old.AsSpan().SequenceEqual(Pattern.Bytes(size - 8, round - 8)));
                        }
                    }
                    catch (StorageException fault)
                    {
                        Assert.Equal(StorageError.Io, fault.Error);
                        Interlocked.Increment(ref failed);
                    }
                }
            })));
        }

        Assert.True(faults > 0, $"'{point}' was passed {passings} times and failed never");
        Assert.True(failed > 0, "nobody heard of a failure");
    }

    [Fact]
    public async Task Open_AnyByteFlipped_EveryBlockIsRightOrGone()
    {
        await using (var store = await Open(_folder["whole"]))
        {
            for (var i = 0; i < 20; i++)
            {
                await store.PutAsync($"{i}", Pattern.Bytes(500, i), Token);
            }
        }

        var random = new Random(4);
        for (var round = 0; round < 40; round++)
        {
            var damaged = Directory.CreateDirectory(_folder[$"damaged-{round}"]).FullName;
            foreach (var file in Directory.GetFiles(_folder["whole"]))
            {
                File.Copy(file, Path.Combine(damaged, Path.GetFileName(file)));
            }

            NvmeTierTests.Damage(Path.Combine(damaged, round % 4 == 0 ? "commit" : "blocks.0"), round % 4 == 0 ? random.Next(131_072) : random.Next(15_000));
            await using (var store = await Open(damaged))
            {
                for (var i = 0; i < 20; i++)
                {
                    if (await store.GetAsync($"{i}", Token) is { } block)
                    {
                        Assert.Equal(Pattern.Bytes(500, i), block);
                    }
                }

                await store.PutAsync("new", Pattern.Bytes(10), Token);
                Assert.Equal(Pattern.Bytes(10), await store.GetAsync("new", Token));
            }

            Directory.Delete(damaged, recursive: true);
        }
    }

    [Fact]
    public async Task Put_ProcessKilled_WhatWasAcknowledgedIsThere()
    {
        var acknowledged = new Dictionary<int, int>();
        for (var life = 0; life < 8; life++)
        {
            using var child = ChildProgram.Start(typeof(BlockStoreTests), _folder.Path, $"{life}");
            var output = await child.StandardOutput.ReadToEndAsync(Token);
            await child.WaitForExitAsync(Token);
            foreach (var line in output[..(output.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                var parts = line.Split(' ');
                acknowledged[int.Parse(parts[0], CultureInfo.InvariantCulture)] = int.Parse(parts[1], CultureInfo.InvariantCulture);
            }

            await using var store = await Open();
            foreach (var (key, seed) in acknowledged)
            {
                // A put that was not acknowledged may be there instead; its seed is higher.
                var block = await store.GetAsync($"{key}", Token);
                Assert.NotNull(block);
                var found = BitConverter.ToInt32(block);
                Assert.True(found >= seed, $"key {key}: version {seed} was acknowledged, {found} is there");
                Assert.Equal(Block(found), block);
            }
        }

        Assert.NotEmpty(acknowledged);
    }

    [Fact]
    public async Task Tier_WithBlocks_CountsTheirSpaceAsContext()
    {
        var options = new NvmeTierOptions { Folder = _folder["tier"], LimitBytes = 64 * MiB, BlockBytes = 16 * MiB };
        await using (var tier = await NvmeTier.OpenAsync(options, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance, Token))
        {
            Assert.Equal(16 * MiB, tier.UsedBytes);
            Assert.Equal(16 * MiB, tier.UsedBytesOf(DataPlane.Tiering.TierClass.Context));
            await tier.Blocks!.PutAsync("k", Pattern.Bytes(100), Token);
        }

        await using var again = await NvmeTier.OpenAsync(options, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance, Token);
        Assert.Equal(Pattern.Bytes(100), await again.Blocks!.GetAsync("k", Token));
    }

    internal static async Task ChildMain(string[] args)
    {
        var life = int.Parse(args[1], CultureInfo.InvariantCulture);
        var left = new Random(life).Next(20, 400);
        await using var store = await BlockStore.OpenAsync(
            new BlockStoreOptions
            {
                Folder = args[0],
                LimitBytes = 32 * MiB,
                MemoryBytes = 2 * MiB,
                FaultPoint = _ =>
                {
                    if (Interlocked.Decrement(ref left) == 0)
                    {
                        ChildProgram.Die();
                    }
                },
            },
            default);
        for (var round = 0; ; round++)
        {
            await Task.WhenAll(Enumerable.Range(0, 8).Select(async key =>
            {
                var seed = (life * 10_000) + round;
                await store.PutAsync($"{key}", Block(seed));
                Console.WriteLine($"{key} {seed}");
            }));
        }
    }

    private static byte[] Block(int seed)
    {
        var block = Pattern.Bytes(100 + (seed % 7 * 900), seed);
        BitConverter.TryWriteBytes(block, seed);
        return block;
    }

    private static async Task CheckNewestAsync(BlockStore store, int count)
    {
        Assert.Null(await store.GetAsync("0", Token));
        for (var i = count - 200; i < count; i++)
        {
            Assert.Equal(Pattern.Bytes(30_000, i), await store.GetAsync($"{i}", Token));
        }
    }

    private Task<BlockStore> Open(string? folder = null, int limit = 32 * MiB, Action<string>? faultPoint = null) => BlockStore.OpenAsync(
        new BlockStoreOptions { Folder = folder ?? _folder.Path, LimitBytes = limit, MemoryBytes = 2 * MiB, FaultPoint = faultPoint },
        Token);
}
