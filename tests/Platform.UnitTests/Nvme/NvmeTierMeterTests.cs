using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Tiering;
using Platform.UnitTests.ObjectStorage;

namespace Platform.UnitTests.Nvme;

/// <summary>Every figure that the tier tells an operator, against what really happened.</summary>
public sealed class NvmeTierMeterTests : IDisposable
{
    private const int Chunk = 64 * 1024;
    private const int Length = (3 * Chunk) + 5;
    private const int Allocated = (3 * Chunk) + 4096;
    private readonly TempFolder _folder = new();
    private readonly TierFigures _figures;

    public NvmeTierMeterTests() => _figures = new TierFigures(_folder.Path);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _figures.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Read_ColdThenWarm_CountsHitsMissesAndWhereBytesCameFrom()
    {
        var storage = new InMemoryObjectStorage().With("a", Pattern.Bytes(Length));
        var source = new BlobSource("a", storage, "a", Length, storage.ETagOf("a")) { Class = TierClass.Shards };
        await using var tier = await Open();
        await ReadAsync(tier, source);
        await ReadAsync(tier, source);

        Assert.Equal(1, _figures["tier.opens class Shards hit False"]);
        Assert.Equal(1, _figures["tier.opens class Shards hit True"]);
        Assert.Equal(4, _figures["tier.fetches class Shards"]);
        Assert.Equal(Length, _figures["tier.fetched class Shards"]);
        Assert.Equal(4, _figures["tier.landed class Shards"]);
        Assert.Equal(2 * Length, _figures["tier.read class Shards source object_storage"] + _figures["tier.read class Shards source nvme"]);
        Assert.InRange(_figures["tier.read class Shards source nvme"], Length, 2 * Length);
        Assert.InRange(_figures["tier.copied class Shards"], Length, 2 * Length);
        Assert.InRange(_figures["tier.device_read for blobs"], Allocated - 4096, 2 * Allocated);
        Assert.InRange(_figures["tier.device_reads for blobs"], 4, 8);
        Assert.Equal(Allocated, _figures["tier.device_written for blobs"]);
        Assert.InRange(_figures["tier.device_written for catalog"], 4096, 4 << 20);
        Assert.Equal(Allocated, _figures["tier.used"]);
        Assert.Equal(Allocated, _figures["tier.used_by_class class Shards"]);
        Assert.Equal(tier.LimitBytes, _figures["tier.limit"]);
        Assert.InRange(_figures["tier.catalog"], 1, 4096);
        Assert.InRange(_figures["tier.managed_allocated"], 1, long.MaxValue);
        Assert.Equal(0, _figures["tier.queue_depth for blobs"]);
        Assert.Equal(1, _figures["tier.direct for blobs"]);
        Assert.Equal(1, _figures["tier.direct for catalog"]);
        Assert.Null(tier.Blocks);
        Assert.DoesNotContain(_figures.Names, name => name.EndsWith("for blocks", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Remove_RewrittenAndForRoom_CountsEvictionsByReason()
    {
        var storage = new InMemoryObjectStorage();
        await using var tier = await Open(limit: 2 * Allocated);
        foreach (var key in new[] { "a", "b", "c" })
        {
            storage.With(key, Pattern.Bytes(Length));
            await ReadAsync(tier, new BlobSource(key, storage, key, Length, storage.ETagOf(key)));
        }

        storage.With("c", Pattern.Bytes(Length, 2));
        await ReadAsync(tier, new BlobSource("c", storage, "c", Length, storage.ETagOf("c")));
        await tier.RemoveAsync("c", Token);

        foreach (var reason in new[] { "room", "changed", "request" })
        {
            Assert.Equal(1, _figures[$"tier.evictions class Weights reason {reason}"]);
            Assert.Equal(Allocated, _figures[$"tier.evicted class Weights reason {reason}"]);
        }
    }

    [Fact]
    public async Task Read_ChunkIsDamaged_CountsIt()
    {
        var storage = new InMemoryObjectStorage().With("a", Pattern.Bytes(Length));
        var source = new BlobSource("a", storage, "a", Length, storage.ETagOf("a"));
        await using (var before = await Open())
        {
            await ReadAsync(before, source);
        }

        using (var file = File.OpenHandle(Assert.Single(Directory.GetFiles(_folder["blobs"])), FileMode.Open, FileAccess.Write))
        {
            RandomAccess.Write(file, "damage"u8, Chunk + 7);
        }

        await using var tier = await Open();
        await ReadAsync(tier, source);

        Assert.Equal(1, _figures["tier.checksum_failures class Weights"]);
        Assert.Equal(5, _figures["tier.fetches class Weights"]);
    }

    [Fact]
    public async Task Put_OnlyCopies_CountTheirBytesAndTheWaitsOfTheirWriters()
    {
        await using var tier = await Open(limit: 2 * Allocated);
        await tier.PutAsync("a", TierClass.Checkpoints, new MemoryStream(new byte[Length]), Length, Token);
        Assert.Equal(Allocated, _figures["tier.only_copy"]);

        tier.StartUploads(new InMemoryObjectStorage(), key => key);
        await Task.WhenAll(Enumerable.Range(0, 3).Select(i => tier.PutAsync($"b{i}", TierClass.Checkpoints, new MemoryStream(new byte[Length]), Length, Token)));
        await tier.WhenUploadedAsync(Token);

        Assert.InRange(_figures["tier.writer_waits"], 1, long.MaxValue);
        Assert.Equal(0, _figures["tier.only_copy"]);
    }

    [Fact]
    public async Task Blocks_WrittenAndRead_ShowTheirOwnDevice()
    {
        const int Blocks = 64;
        const int Bytes = 60_000;
        using var held = new ManualResetEventSlim();
        using var reads = new CountdownEvent(2);
        var holds = false;
        void Hold(string point)
        {
            if (Volatile.Read(ref holds) && point == "blocks.read")
            {
                reads.Signal();
                held.Wait(Token);
            }
        }

        await using var tier = await NvmeTier.OpenAsync(WithBlocks() with { FaultPoint = Hold }, NullLogger.Instance, Token);
        await Task.WhenAll(Enumerable.Range(0, Blocks).Select(i => tier.Blocks!.PutAsync($"b{i}", Pattern.Bytes(Bytes, i), Token).AsTask()));
        Assert.InRange(_figures["tier.device_written for blocks"], Blocks * Bytes, 2 * Blocks * Bytes);
        Assert.Equal(0, _figures["tier.queue_depth for blocks"]);
        var (read, asked) = (_figures["tier.device_read for blocks"], _figures["tier.device_reads for blocks"]);

        Volatile.Write(ref holds, true);
        var two = Enumerable.Range(0, 2).Select(i => tier.Blocks!.GetAsync($"b{i}", Token).AsTask()).ToList();
        reads.Wait(Token);
        Assert.Equal(2, _figures["tier.queue_depth for blocks"]);
        Volatile.Write(ref holds, false);
        held.Set();
        Assert.Equal([Pattern.Bytes(Bytes, 0), Pattern.Bytes(Bytes, 1)], await Task.WhenAll(two));

        Assert.Equal(0, _figures["tier.queue_depth for blocks"]);
        Assert.InRange(_figures["tier.device_read for blocks"] - read, 2 * Bytes, 4 * Bytes);
        Assert.InRange(_figures["tier.device_reads for blocks"] - asked, 2, 4);
        Assert.Equal(1, _figures["tier.direct for blocks"]);
        Assert.Equal(0, _figures["tier.device_written for blobs"]);
    }

    [Fact]
    public async Task Blocks_DeviceFailedMeanwhile_AreCountedOverAllItsLives()
    {
        var fails = false;
        void Fail(string point)
        {
            if (point == "blocks.write" && Interlocked.Exchange(ref fails, false))
            {
                throw new IOException("Input/output error", 5);
            }
        }

        await using var tier = await NvmeTier.OpenAsync(WithBlocks() with { FaultPoint = Fail }, NullLogger.Instance, Token);
        await tier.Blocks!.PutAsync("a", Pattern.Bytes(9000), Token);
        var before = _figures["tier.device_written for blocks"];
        Volatile.Write(ref fails, true);
        await Assert.ThrowsAsync<StorageException>(() => tier.Blocks.PutAsync("b", Pattern.Bytes(9000), Token).AsTask());
        await tier.Blocks.PutAsync("b", Pattern.Bytes(9000), Token);

        Assert.InRange(_figures["tier.device_written for blocks"], before + 9000, long.MaxValue);
    }

    [Fact]
    public async Task Open_DirectIoRefused_ShowsItOfEachDevice()
    {
        var storage = new InMemoryObjectStorage().With("a", Pattern.Bytes(Length));
        await using var tier = await NvmeTier.OpenAsync(WithBlocks() with { IsBuffered = true }, NullLogger.Instance, Token);
        await ReadAsync(tier, new BlobSource("a", storage, "a", Length, storage.ETagOf("a")));
        await tier.Blocks!.PutAsync("a", new byte[9], Token);

        Assert.Equal([0, 0, 0], new[] { "blobs", "catalog", "blocks" }.Select(use => _figures[$"tier.direct for {use}"]));
        Assert.Equal(3, _figures.Names.Count(name => name.StartsWith("tier.direct ", StringComparison.Ordinal)));
        Assert.Equal(Allocated, _figures["tier.used_by_class class Weights"]);
    }

    private static async Task ReadAsync(NvmeTier tier, BlobSource source)
    {
        await using var lease = await tier.OpenAsync(source, Token);
        await lease.FillAsync(cancellationToken: Token);
        await lease.ReadAsync(0, new byte[Length], Token);
    }

    private Task<NvmeTier> Open(long limit = 1 << 30) => NvmeTier.OpenAsync(Options(limit), NullLogger.Instance, Token);

    private NvmeTierOptions WithBlocks() => Options() with { BlockBytes = 16 << 20, BlockMemoryBytes = 2 << 20 };

    private NvmeTierOptions Options(long limit = 1 << 30) => new() { Folder = _folder.Path, ChunkBytes = Chunk, MetadataBytes = 4 << 20, LimitBytes = limit + (4 << 20) };
}
