using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Nvme.Io;
using Platform.DataPlane.Tiering;
using Platform.UnitTests.ObjectStorage;

namespace Platform.UnitTests.Nvme;

public sealed class NvmeTierTests : IDisposable
{
    private const int KiB = 1024;
    private const int Chunk = 64 * KiB;
    private readonly TempFolder _folder = new();
    private readonly InMemoryObjectStorage _storage = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4095)]
    [InlineData(4096)]
    [InlineData(Chunk - 1)]
    [InlineData(Chunk)]
    [InlineData((3 * Chunk) + 17)]
    public async Task Read_ColdThenWarmThenAfterReopen_GivesTheObject(int length)
    {
        var bytes = Pattern.Bytes(length);
        _storage.With("m/w", bytes);
        await using (var tier = await Open())
        {
            await using var lease = await tier.OpenAsync(Source("m/w"), Token);
            Assert.Equal(bytes, await ReadAll(lease));
            await lease.FillAsync(cancellationToken: Token);
            Assert.Equal(bytes, await ReadAll(lease));
            Assert.Equal(bytes, await File.ReadAllBytesAsync(lease.FilePath, Token));
        }

        var gets = _storage.Gets;
        Assert.Equal((length + Chunk - 1) / Chunk, gets);
        await using var again = await Open();
        await using var warm = await again.OpenAsync(Source("m/w"), Token);
        Assert.True(warm.IsSealed);
        Assert.Equal(bytes, await ReadAll(warm));
        Assert.Equal(gets, _storage.Gets);
    }

    [Fact]
    public async Task Read_ManyAskersOfAColdBlob_CauseOneGetPerChunk()
    {
        var bytes = Pattern.Bytes((4 * Chunk) - 5);
        _storage.With("k", bytes);
        await using var tier = await Open();

        await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Run(
            async () =>
            {
                await using var lease = await tier.OpenAsync(Source("k"), Token);
                Assert.Equal(bytes, await ReadAll(lease));
            },
            Token)));

        Assert.Equal(4, _storage.GetCount("k"));
    }

    [Fact]
    public async Task LandedBytes_WhileTheChunkIsBeingWritten_CountBytesThatAreInMemory()
    {
        _storage.With("k", Pattern.Bytes(1000));
        using var write = new ManualResetEventSlim();
        await using var tier = await NvmeTier.OpenAsync(
            Options() with { FaultPoint = at => { if (at == "blob.write") { write.Wait(Token); } } },
            NullLogger.Instance,
            Token);
        await using var lease = await tier.OpenAsync(Source("k"), Token);
        Assert.Equal(0, tier.LandedBytesOf("k", Source("k").ETag));

        await ReadAll(lease);

        Assert.Equal(1000, tier.LandedBytesOf("k", Source("k").ETag));
        write.Set();
        await lease.FillAsync(cancellationToken: Token);
        Assert.Equal(1000, tier.LandedBytesOf("k", Source("k").ETag));
    }

    [Fact]
    public async Task Read_AnyRange_GivesThatRange()
    {
        var bytes = Pattern.Bytes((3 * Chunk) + 1001);
        _storage.With("k", bytes);
        await using var tier = await Open();
        await using var lease = await tier.OpenAsync(Source("k"), Token);
        var random = new Random(3);

        for (var i = 0; i < 200; i++)
        {
            var offset = random.Next(bytes.Length);
            var target = new byte[random.Next(bytes.Length - offset)];
            await lease.ReadAsync(offset, target, Token);
            Assert.Equal(bytes.AsSpan(offset, target.Length).ToArray(), target);
        }

        Assert.Equal(4, _storage.Gets);
    }

    [Fact]
    public async Task ReadAll_PipelineOfChunks_IsInOrderAndComplete()
    {
        var bytes = Pattern.Bytes((5 * Chunk) + 3);
        _storage.With("k", bytes);
        await using var tier = await Open();
        await using var lease = await tier.OpenAsync(Source("k"), Token);

        var copy = new MemoryStream();
        await foreach (var chunk in lease.ReadAllAsync(depth: 3, Token))
        {
            copy.Write(chunk.Span);
        }

        Assert.Equal(bytes, copy.ToArray());
    }

    [Fact]
    public async Task Read_WholeChunksIntoAlignedMemory_ReadsEachByteOnceFromTheDevice()
    {
        _storage.With("k", Pattern.Bytes(8 * Chunk));
        await using var tier = await Open();
        await using var lease = await tier.OpenAsync(Source("k"), Token);
        await lease.FillAsync(cancellationToken: Token);
        using var memory = new AlignedMemory(8 * Chunk);
        var before = tier.Device.BytesRead;

        await lease.ReadAsync(0, memory.Slice(0, 8 * Chunk), Token);

        Assert.Equal(8 * Chunk, tier.Device.BytesRead - before);
        Assert.Equal(8 * Chunk, lease.NvmeBytes);
        Assert.Equal(8 * Chunk, tier.Device.BytesWritten);
        Assert.Equal(Pattern.Bytes(8 * Chunk), memory.Slice(0, 8 * Chunk).ToArray());
    }

    [Fact]
    public async Task Open_AfterRestart_ResumesAtTheChunk()
    {
        var bytes = Pattern.Bytes(6 * Chunk);
        _storage.With("k", bytes);
        await using (var tier = await Open())
        {
            await using var lease = await tier.OpenAsync(Source("k"), Token);
            await lease.ReadAsync(0, new byte[2 * Chunk], Token);
            await lease.ReadAsync(4 * Chunk, new byte[10], Token);
        }

        Assert.Equal(3, _storage.Gets);
        await using var again = await Open();
        await using var resumed = await again.OpenAsync(Source("k"), Token);
        Assert.Equal(3 * Chunk, Assert.Single(await again.ListAsync(Token)).LandedBytes);
        Assert.Equal(bytes, await ReadAll(resumed));
        Assert.Equal(6, _storage.Gets);
        await resumed.FillAsync(cancellationToken: Token);
        Assert.True(resumed.IsSealed);
    }

    [Fact]
    public async Task Open_ChangedObject_ReplacesTheBlob_WhileOldReadersKeepTheirs()
    {
        var old = Pattern.Bytes(2 * Chunk, 1);
        _storage.With("k", old);
        await using var tier = await Open();
        var oldLease = await tier.OpenAsync(Source("k"), Token);
        await oldLease.FillAsync(cancellationToken: Token);

        var changed = Pattern.Bytes(3 * Chunk, 2);
        _storage.With("k", changed);
        await using var lease = await tier.OpenAsync(Source("k"), Token);

        Assert.Equal(changed, await ReadAll(lease));
        Assert.Equal(old, await ReadAll(oldLease));
        Assert.Equal(5 * Chunk, tier.UsedBytes);
        await oldLease.DisposeAsync();
        Assert.Equal(3 * Chunk, tier.UsedBytes);
        Assert.Single(Directory.GetFiles(_folder["blobs"]));
    }

    [Fact]
    public async Task Read_ObjectChangedInTheMiddle_FailsWithItsKey()
    {
        _storage.With("some/key", Pattern.Bytes(2 * Chunk, 1));
        await using var tier = await Open();
        await using var lease = await tier.OpenAsync(Source("some/key"), Token);
        await lease.ReadAsync(0, new byte[1], Token);
        _storage.With("some/key", Pattern.Bytes(2 * Chunk, 2));

        var error = await Assert.ThrowsAsync<StorageException>(() => lease.ReadAsync(Chunk, new byte[1], Token).AsTask());

        Assert.Equal(StorageError.Changed, error.Error);
        Assert.Contains("some/key", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_MoreThanTheLimit_EvictsTheLeastRecentlyLeased_NeverALeasedOne()
    {
        foreach (var key in new[] { "a", "b", "c", "d" })
        {
            _storage.With(key, Pattern.Bytes(4 * Chunk));
        }

        await using var tier = await Open(limit: 9 * Chunk);
        await (await tier.OpenAsync(Source("a"), Token)).DisposeAsync();
        await (await tier.OpenAsync(Source("b"), Token)).DisposeAsync();
        var a = await tier.OpenAsync(Source("a"), Token);
        var c = await tier.OpenAsync(Source("c"), Token);

        Assert.Equal(["a", "c"], (await tier.ListAsync(Token)).Select(blob => blob.Key));
        Assert.Contains("room was needed for 'c'", tier.Explain("b").Reason, StringComparison.Ordinal);
        var error = await Assert.ThrowsAsync<StorageException>(() => tier.OpenAsync(Source("d"), Token));
        Assert.Equal(StorageError.Full, error.Error);
        Assert.Contains($"{8 * Chunk} in use", error.Message, StringComparison.Ordinal);
        Assert.InRange(tier.UsedBytes, 0, tier.LimitBytes);
        await a.DisposeAsync();
        await using var d = await tier.OpenAsync(Source("d"), Token);
        await c.DisposeAsync();
        Assert.Equal(["c", "d"], (await tier.ListAsync(Token)).Select(blob => blob.Key));
    }

    [Fact]
    public async Task Read_DamagedChunk_IsFetchedAgain()
    {
        var bytes = Pattern.Bytes(3 * Chunk);
        _storage.With("k", bytes);
        await using (var tier = await Open())
        {
            await using var lease = await tier.OpenAsync(Source("k"), Token);
            await lease.FillAsync(cancellationToken: Token);
        }

        Damage(Directory.GetFiles(_folder["blobs"]).Single(), Chunk + 100);
        await using var again = await Open();
        Assert.Single(await Collect(again.VerifyAsync(Token)), line => line.Contains($"offset {Chunk}", StringComparison.Ordinal));
        await using var repaired = await again.OpenAsync(Source("k"), Token);
        Assert.Equal(bytes, await ReadAll(repaired));
        Assert.Equal(4, _storage.Gets);
        Assert.Empty(await Collect(again.VerifyAsync(Token)));
    }

    [Fact]
    public async Task Verify_WhileADamagedChunkIsWrittenAnew_WaitsForIt()
    {
        _storage.With("k", Pattern.Bytes(2 * Chunk));
        using var write = new ManualResetEventSlim(true);
        await using var tier = await NvmeTier.OpenAsync(
            Options() with { FaultPoint = at => { if (at == "blob.write") { write.Wait(Token); } } },
            NullLogger.Instance,
            Token);
        await using var lease = await tier.OpenAsync(Source("k"), Token);
        await lease.FillAsync(cancellationToken: Token);
        Damage(lease.FilePath, 5);
        write.Reset();
        await ReadAll(lease);

        var verifying = Collect(tier.VerifyAsync(Token));
        Assert.False(verifying.IsCompleted);
        write.Set();

        Assert.Empty(await verifying);
    }

    [Fact]
    public async Task Read_DamagedChunkAndNoSource_IsReportedWithFileAndOffset()
    {
        _storage.With("k", Pattern.Bytes(3 * Chunk));
        await using var tier = await Open();
        await using (var lease = await tier.OpenAsync(Source("k"), Token))
        {
            await lease.FillAsync(cancellationToken: Token);
            Damage(lease.FilePath, 2 * Chunk);
        }

        await using var blind = tier.TryOpen("k")!;
        var error = await Assert.ThrowsAsync<StorageException>(() => ReadAll(blind));

        Assert.Equal(StorageError.Corrupt, error.Error);
        Assert.Contains($"offset {2 * Chunk}", error.Message, StringComparison.Ordinal);
        Assert.Contains("fetched again from object 'k'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Read_DamagedOnlyCopy_IsReportedAsLost()
    {
        await using var tier = await Open();
        await tier.PutAsync("k", TierClass.Checkpoints, Pattern.Bytes(3 * Chunk), Token);
        await using var lease = tier.TryOpen("k")!;
        Damage(lease.FilePath, 2 * Chunk);

        var error = await Assert.ThrowsAsync<StorageException>(() => ReadAll(lease));

        Assert.Equal(StorageError.Corrupt, error.Error);
        Assert.Contains($"offset {2 * Chunk}", error.Message, StringComparison.Ordinal);
        Assert.Contains("lost", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("object", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_CannotFitBesideWhatIsInUse_EvictsNothing()
    {
        foreach (var (key, chunks) in new[] { ("leased", 4), ("b", 2), ("c", 2), ("large", 8), ("fits", 5) })
        {
            _storage.With(key, Pattern.Bytes(chunks * Chunk));
        }

        await using var tier = await Open(limit: 10 * Chunk);
        await (await tier.OpenAsync(Source("b"), Token)).DisposeAsync();
        await (await tier.OpenAsync(Source("c"), Token)).DisposeAsync();
        await using var leased = await tier.OpenAsync(Source("leased"), Token);

        Assert.Equal(StorageError.Full, (await Assert.ThrowsAsync<StorageException>(() => tier.OpenAsync(Source("large"), Token))).Error);
        Assert.Equal(["b", "c", "leased"], (await tier.ListAsync(Token)).Select(blob => blob.Key));

        await using var fits = await tier.OpenAsync(Source("fits"), Token);
        Assert.Contains(await tier.ListAsync(Token), blob => blob.Key == "fits");
    }

    [Theory]
    [InlineData(TierClass.Weights, 17, 0)]
    [InlineData(TierClass.Context, 0, 15)]
    public void Open_SharesThatTheBlocksLeaveNoRoomFor_AreRefused(TierClass tierClass, int floorMebibytes, int ceilingMebibytes)
    {
        var share = new ClassShare((long)floorMebibytes << 20, ceilingMebibytes == 0 ? long.MaxValue : (long)ceilingMebibytes << 20);
        var options = Options(limit: 32 << 20) with { BlockBytes = 16 << 20, Shares = new Dictionary<TierClass, ClassShare> { [tierClass] = share } };

        Assert.Contains(nameof(NvmeTierOptions.BlockBytes), Assert.Throws<ArgumentException>(() => options.Validated()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_FolderWithLeftovers_RemovesThem()
    {
        _storage.With("k", Pattern.Bytes(Chunk));
        await using (var tier = await Open())
        {
            await using var lease = await tier.OpenAsync(Source("k"), Token);
            await lease.FillAsync(cancellationToken: Token);
        }

        await File.WriteAllBytesAsync(_folder["blobs/00000000000000ff.blob"], new byte[100], Token);
        await using var again = await Open();

        Assert.Single(Directory.GetFiles(_folder["blobs"]));
        Assert.Equal(Chunk, again.UsedBytes);
    }

    [Fact]
    public async Task Open_BlobFileGone_DropsOnlyThatBlob()
    {
        _storage.With("a", Pattern.Bytes(Chunk)).With("b", Pattern.Bytes(Chunk));
        string path;
        await using (var tier = await Open())
        {
            await using var a = await tier.OpenAsync(Source("a"), Token);
            await a.FillAsync(cancellationToken: Token);
            await using var b = await tier.OpenAsync(Source("b"), Token);
            await b.FillAsync(cancellationToken: Token);
            path = a.FilePath;
        }

        File.Delete(path);
        await using var again = await Open();

        Assert.Equal(["b"], (await again.ListAsync(Token)).Select(blob => blob.Key));
        Assert.Contains("missing", again.Explain("a").Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("blob.allocate")]
    [InlineData("blob.write")]
    public async Task Read_DiskFull_IsTypedAndTheTierGoesOn(string point)
    {
        var bytes = Pattern.Bytes(Chunk);
        _storage.With("k", bytes);
        var full = true;
        await using var tier = await NvmeTier.OpenAsync(
            Options() with { FaultPoint = at => Durable.DurableLogTests.ThrowIf(full && at == point) },
            NullLogger.Instance,
            Token);

        var error = await Assert.ThrowsAsync<StorageException>(async () =>
        {
            await using var lease = await tier.OpenAsync(Source("k"), Token);
            await lease.FillAsync(cancellationToken: Token);
        });

        Assert.Equal(StorageError.Full, error.Error);
        full = false;
        await using var again = await tier.OpenAsync(Source("k"), Token);
        Assert.Equal(bytes, await ReadAll(again));
        await again.FillAsync(cancellationToken: Token);
    }

    [Fact]
    public async Task Open_FolderThatIsOpen_NamesTheHolder()
    {
        await using var tier = await Open();

        Assert.Equal(StorageError.InUse, (await Assert.ThrowsAsync<StorageException>(() => Open())).Error);
    }

    [Theory]
    [InlineData("")]
    [InlineData("blobs")]
    [InlineData("catalog")]
    [InlineData("blocks")]
    public async Task Open_FileInPlaceOfAFolder_IsTypedAndNamed(string name)
    {
        var folder = _folder["tier"];
        var path = Path.Combine(folder, name);
        Directory.CreateDirectory(name.Length == 0 ? _folder.Path : folder);
        await File.WriteAllTextAsync(path.TrimEnd('/'), "not a folder", Token);

        var error = await Assert.ThrowsAsync<StorageException>(() => NvmeTier.OpenAsync(Options() with { Folder = folder, BlockBytes = 16 << 20 }, NullLogger.Instance, Token));

        Assert.Equal(StorageError.Io, error.Error);
        Assert.Contains(path.TrimEnd('/'), error.Message, StringComparison.Ordinal);
        Assert.Equal("not a folder", await File.ReadAllTextAsync(path.TrimEnd('/'), Token));
    }

    [Fact]
    public void Dispose_FolderDeletedMeanwhile_LetsTheLockGo()
    {
        var held = FolderLock.Take(_folder["tier"]);
        Directory.Delete(_folder["tier"], recursive: true);

        held.Dispose();

        FolderLock.Take(_folder["tier"]).Dispose();
    }

    [Fact]
    public async Task Open_OwnerCannotBeNoted_OpensAllTheSame()
    {
        Directory.CreateDirectory(_folder["catalog"]);
        foreach (var owner in new[] { "owner", "catalog/owner" })
        {
            File.CreateSymbolicLink(_folder[owner], "/dev/full");
        }

        await using var tier = await Open();

        Assert.Empty(await tier.ListAsync(Token));
    }

    [Fact]
    public async Task Explain_HalfHereAndKeptByItsFloor_SaysSo_AlsoAfterReopen()
    {
        _storage.With("a", Pattern.Bytes(2 * Chunk));
        var options = Options() with { Shares = new Dictionary<TierClass, ClassShare> { [TierClass.Weights] = new(4 * Chunk) } };
        for (var life = 0; life < 2; life++)
        {
            await using var tier = await NvmeTier.OpenAsync(options, NullLogger.Instance, Token);
            await using (var lease = await tier.OpenAsync(Source("a"), Token))
            {
                await lease.ReadAsync(0, new byte[Chunk], Token);
            }

            var explanation = tier.Explain("a");
            Assert.Contains($"{Chunk} of {2 * Chunk} bytes have landed", explanation.Reason, StringComparison.Ordinal);
            Assert.Contains("object 'a' (ETag", explanation.Reason, StringComparison.Ordinal);
            Assert.Contains($"below its floor of {4 * Chunk} bytes", explanation.Eviction, StringComparison.Ordinal);
        }

        Assert.Equal(1, _storage.GetCount("a"));
    }

    [Fact]
    public async Task Explain_SaysWhereItStandsInTheQueue()
    {
        _storage.With("a", Pattern.Bytes(Chunk)).With("b", Pattern.Bytes(Chunk));
        await using var tier = await Open();
        await (await tier.OpenAsync(Source("a"), Token)).DisposeAsync();
        await using var b = await tier.OpenAsync(Source("b"), Token);

        Assert.Equal(0, tier.Explain("a").EvictionRank);
        Assert.Null(tier.Explain("b").EvictionRank);
        Assert.Contains("1 leases", tier.Explain("b").Eviction, StringComparison.Ordinal);
        Assert.Contains("not asked for", tier.Explain("c").Reason, StringComparison.Ordinal);
    }

    internal static void Damage(string path, long offset)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
        Span<byte> one = stackalloc byte[1];
        RandomAccess.Read(file, one, offset);
        one[0] ^= 1;
        RandomAccess.Write(file, one, offset);
    }

    internal static async Task<byte[]> ReadAll(BlobLease lease)
    {
        var bytes = new byte[lease.LengthBytes];
        await lease.ReadAsync(0, bytes, Token);
        return bytes;
    }

    private static async Task<List<string>> Collect(IAsyncEnumerable<string> lines)
    {
        var collected = new List<string>();
        await foreach (var line in lines)
        {
            collected.Add(line);
        }

        return collected;
    }

    private BlobSource Source(string key) => new(key, _storage, key, _storage.LengthOf(key), _storage.ETagOf(key));

    private NvmeTierOptions Options(long limit = 1 << 30) => new() { Folder = _folder.Path, ChunkBytes = Chunk, MetadataBytes = 4 << 20, LimitBytes = limit + (4 << 20) };

    private Task<NvmeTier> Open(long limit = 1 << 30) => NvmeTier.OpenAsync(Options(limit), NullLogger.Instance, Token);
}
