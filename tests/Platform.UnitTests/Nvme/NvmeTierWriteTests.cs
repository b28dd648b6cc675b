using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Tiering;
using Platform.UnitTests.ObjectStorage;

namespace Platform.UnitTests.Nvme;

public sealed class NvmeTierWriteTests : IDisposable
{
    private const int Chunk = 64 * 1024;
    private static readonly int Buffers = new NvmeTierOptions { Folder = "" }.Buffers;
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData((3 * Chunk) + 5)]
    public async Task Put_ThenReopen_IsThereAndAnOnlyCopy(int length)
    {
        var bytes = Pattern.Bytes(length);
        await using (var tier = await Open())
        {
            await tier.PutAsync("ckpt/1", TierClass.Checkpoints, new MemoryStream(bytes), length, Token);
        }

        await using var again = await Open();
        await using var lease = again.TryOpen("ckpt/1")!;
        var read = new byte[length];
        await lease.ReadAsync(0, read, Token);
        Assert.Equal(bytes, read);
        Assert.Equal(Durability.OnlyCopy, Assert.Single(await again.ListAsync(Token)).Durability);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(5, true)]
    [InlineData((40 * Chunk) + 5, true)]
    [InlineData((40 * Chunk) + 5, false)]
    public async Task Put_FromMemory_IsThereAlsoAfterReopen(int length, bool aligned)
    {
        var bytes = Pattern.Bytes(length);
        using var memory = new AlignedMemory(length + 1);
        var content = memory.Slice(aligned ? 0 : 1, length);
        bytes.CopyTo(content);
        await using (var tier = await Open())
        {
            await tier.PutAsync("ckpt/1", TierClass.Checkpoints, content, Token);
        }

        await using var again = await Open();
        await using var lease = again.TryOpen("ckpt/1")!;
        var read = new byte[length];
        await lease.ReadAsync(0, read, Token);
        Assert.Equal(bytes, read);
        Assert.Empty((await again.CheckAsync("ckpt/1", cancellationToken: Token))!.Damage);
    }

    [Fact]
    public async Task Put_FromAlignedMemory_NeedsNoBufferOfTheTier()
    {
        var storage = new InMemoryObjectStorage();
        var reached = new SemaphoreSlim(0);
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        storage.BeforeRead = (_, _) =>
        {
            reached.Release();
            return goOn.Task;
        };
        await using var tier = await Open();
        using var memory = new AlignedMemory(20 * Chunk);
        Pattern.Bytes(20 * Chunk).CopyTo(memory.Slice(0, 20 * Chunk));
        var reads = new List<Task<byte[]>>();
        foreach (var key in Enumerable.Range(0, Buffers).Select(i => $"held-{i}"))
        {
            storage.With(key, Pattern.Bytes(10));
            var lease = await tier.OpenAsync(new BlobSource(key, storage, key, 10, storage.ETagOf(key)), Token);
            reads.Add(NvmeTierTests.ReadAll(lease));
            await reached.WaitAsync(Token);
        }

        await tier.PutAsync("k", TierClass.Checkpoints, memory.Slice(0, 20 * Chunk), Token);

        goOn.SetResult();
        Assert.All(await Task.WhenAll(reads), read => Assert.Equal(Pattern.Bytes(10), read));
        Assert.Empty((await tier.CheckAsync("k", cancellationToken: Token))!.Damage);
    }

    [Fact]
    public async Task Put_StreamsThatStall_HoldUpNoReader()
    {
        var storage = new InMemoryObjectStorage().With("cold", Pattern.Bytes(3 * Chunk)).With("warm", Pattern.Bytes(3 * Chunk, 2));
        await using var tier = await Open();
        await using var cold = await tier.OpenAsync(new BlobSource("cold", storage, "cold", 3 * Chunk, storage.ETagOf("cold")), Token);
        await using var warm = await tier.OpenAsync(new BlobSource("warm", storage, "warm", 3 * Chunk, storage.ETagOf("warm")), Token);
        await warm.FillAsync(cancellationToken: Token);
        var stuck = new StuckStream();
        var waiting = Enumerable.Range(0, 2 * Buffers).Select(i => tier.PutAsync($"held-{i}", TierClass.Checkpoints, stuck, Chunk, Token)).ToList();
        await stuck.WhenAskedAsync(Buffers / 2, Token);

        Assert.Equal(Pattern.Bytes(3 * Chunk), await NvmeTierTests.ReadAll(cold));
        Assert.Equal(Pattern.Bytes(3 * Chunk, 2), await NvmeTierTests.ReadAll(warm));

        stuck.End();
        foreach (var put in waiting)
        {
            await Assert.ThrowsAsync<StorageException>(() => put);
        }
    }

    [Fact]
    public async Task Put_SameKeyAgain_ReplacesIt()
    {
        await using var tier = await Open();
        await tier.PutAsync("k", TierClass.Checkpoints, new MemoryStream(Pattern.Bytes(Chunk, 1)), Chunk, Token);
        await tier.PutAsync("k", TierClass.Checkpoints, new MemoryStream(Pattern.Bytes(2 * Chunk, 2)), 2 * Chunk, Token);

        await using var lease = tier.TryOpen("k")!;
        var read = new byte[2 * Chunk];
        await lease.ReadAsync(0, read, Token);
        Assert.Equal(Pattern.Bytes(2 * Chunk, 2), read);
        Assert.Equal(2 * Chunk, tier.UsedBytes);
        Assert.Single(Directory.GetFiles(_folder["blobs"]));
    }

    [Fact]
    public async Task Put_StreamEndsEarly_LeavesNothing()
    {
        await using var tier = await Open();

        var error = await Assert.ThrowsAsync<StorageException>(() => tier.PutAsync("k", TierClass.Checkpoints, new MemoryStream(new byte[10]), 11, Token));

        Assert.Equal(StorageError.Truncated, error.Error);
        Assert.Equal(0, tier.UsedBytes);
        Assert.Empty(Directory.GetFiles(_folder["blobs"]));
        Assert.Empty(await tier.ListAsync(Token));
    }

    [Fact]
    public async Task Open_RoomNeeded_NeverTakesItFromAnOnlyCopy()
    {
        var storage = new InMemoryObjectStorage().With("w", Pattern.Bytes(6 * Chunk));
        await using var tier = await Open(limit: 8 * Chunk);
        await tier.PutAsync("k", TierClass.Checkpoints, new MemoryStream(Pattern.Bytes(4 * Chunk)), 4 * Chunk, Token);

        var error = await Assert.ThrowsAsync<StorageException>(() => tier.OpenAsync(new BlobSource("w", storage, "w", 6 * Chunk, storage.ETagOf("w")), Token));

        Assert.Equal(StorageError.Full, error.Error);
        Assert.Contains($"{4 * Chunk} that are only copies", error.Message, StringComparison.Ordinal);
        Assert.Contains("only copy", tier.Explain("k").Eviction, StringComparison.Ordinal);
        Assert.Equal(StorageError.Full, (await Assert.ThrowsAsync<StorageException>(() => tier.PutAsync("k2", TierClass.Checkpoints, new MemoryStream(), 1, Token))).Error);
    }

    [Fact]
    public async Task StartUploads_CopiesWhatIsThere_AlsoOfAnEarlierRun_AndThenItMayGo()
    {
        var bytes = Pattern.Bytes((2 * Chunk) + 9);
        await using (var tier = await Open())
        {
            await tier.PutAsync("ckpt/a", TierClass.Checkpoints, new MemoryStream(bytes), bytes.Length, Token);
        }

        var storage = new InMemoryObjectStorage();
        await using (var again = await Open())
        {
            again.StartUploads(storage, key => $"up/{key}");
            await again.WhenUploadedAsync(Token);
        }

        var read = new byte[bytes.Length];
        await storage.ReadAsync("up/ckpt/a", 0, read, cancellationToken: Token);
        Assert.Equal(bytes, read);
        await using var last = await Open();
        var blob = Assert.Single(await last.ListAsync(Token));
        Assert.Equal(Durability.Replicated, blob.Durability);
        Assert.Equal(storage.ETagOf("up/ckpt/a"), blob.ETag);
        Assert.Equal(0, last.Explain("ckpt/a").EvictionRank);
    }

    [Fact]
    public async Task Put_BeyondTheOnlyCopyLimit_WaitsForUploads()
    {
        var storage = new InMemoryObjectStorage();
        await using var tier = await Open(limit: 8 * Chunk);
        tier.StartUploads(storage, key => key);

        await Task.WhenAll(Enumerable.Range(0, 12).Select(i => tier.PutAsync($"c{i}", TierClass.Checkpoints, new MemoryStream(Pattern.Bytes(2 * Chunk, i)), 2 * Chunk, Token)));
        await tier.WhenUploadedAsync(Token);

        for (var i = 0; i < 12; i++)
        {
            var read = new byte[2 * Chunk];
            await storage.ReadAsync($"c{i}", 0, read, cancellationToken: Token);
            Assert.Equal(Pattern.Bytes(2 * Chunk, i), read);
        }

        Assert.InRange(tier.UsedBytes, 0, tier.LimitBytes);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Open_FileOfAnOnlyCopyHasAnotherLength_SetsItAside(bool longer)
    {
        var bytes = Pattern.Bytes((2 * Chunk) + 9);
        await using (var tier = await Open())
        {
            await tier.PutAsync("k", TierClass.Checkpoints, bytes, Token);
        }

        var path = Assert.Single(Directory.GetFiles(_folder["blobs"]));
        byte[] found = longer ? [.. bytes, .. new byte[Chunk]] : bytes[..Chunk];
        await File.WriteAllBytesAsync(path, found, Token);
        for (var life = 0; life < 2; life++)
        {
            await using var again = await Open();
            Assert.Null(again.TryOpen("k"));
            Assert.Equal(found, await File.ReadAllBytesAsync(Path.Combine(_folder["lost"], Path.GetFileName(path)), Token));
            Assert.Equal(found.Length, again.SetAsideBytes);
            if (life == 0)
            {
                Assert.Contains("lost", again.Explain("k").Reason, StringComparison.Ordinal);
            }
        }
    }

    private Task<NvmeTier> Open(long limit = 1 << 30) => NvmeTier.OpenAsync(
        new NvmeTierOptions { Folder = _folder.Path, ChunkBytes = Chunk, MetadataBytes = 4 << 20, LimitBytes = limit + (4 << 20) },
        NullLogger.Instance,
        Token);

    /// <summary>Gives nothing until it is ended, and then too little.</summary>
    private sealed class StuckStream : MemoryStream
    {
        private readonly SemaphoreSlim _asked = new(0);
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public async Task WhenAskedAsync(int times, CancellationToken cancellationToken)
        {
            for (; times > 0; times--)
            {
                await _asked.WaitAsync(cancellationToken);
            }
        }

        public void End() => _ended.SetResult();

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            _asked.Release();
            await _ended.Task.WaitAsync(cancellationToken);
            return 0;
        }

        protected override void Dispose(bool disposing)
        {
            _asked.Dispose();
            base.Dispose(disposing);
        }
    }
}
