using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Tiering;
using Platform.UnitTests.ObjectStorage;

namespace Platform.UnitTests.Nvme;

/// <summary>The limit is of everything in the folder: blobs, catalog, and what a damaged catalog left behind.</summary>
public sealed class NvmeTierLimitTests : IDisposable
{
    private const int MetadataBytes = 4 << 20;
    private const int LimitBytes = MetadataBytes + (8 << 20);
    private static readonly string Object = new('o', 500);
    private readonly TempFolder _folder = new();
    private readonly InMemoryObjectStorage _storage = new InMemoryObjectStorage().With(Object, Pattern.Bytes(700));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Open_ManySmallBlobs_TheCatalogStaysInItsPart_AlsoAcrossARestart()
    {
        var longName = new string('n', 480);
        for (var life = 0; life < 2; life++)
        {
            await using var tier = await Open();
            for (var i = 0; i < (life == 0 ? 700 : 50); i++)
            {
                await using var lease = await tier.OpenAsync(Source($"{longName}/{life}/{i}"), Token);
                await lease.FillAsync(cancellationToken: Token);
                if (i % 50 == 0)
                {
                    Assert.InRange(BytesOf("catalog"), 1, MetadataBytes);
                    Assert.InRange(BytesOf("."), 1, LimitBytes);
                }
            }

            // Some were evicted for their records, not for their bytes.
            Assert.InRange((await tier.ListAsync(Token)).Count, 100, 690);
            Assert.True(tier.UsedBytes < tier.LimitBytes / 2);
        }
    }

    [Fact]
    public async Task Open_ChunksStillToBeRecorded_HaveTheirRoomInTheCatalog()
    {
        // Records of the chunks of one fit the catalog, those of two do not; of what is sealed hardly anything is left.
        const int Length = 1600 * 4096;
        var storage = new InMemoryObjectStorage().With("a", Pattern.Bytes(Length, 1)).With("b", Pattern.Bytes(Length, 2));
        await using var tier = await NvmeTier.OpenAsync(Options() with { LimitBytes = MetadataBytes + (16 << 20) }, NullLogger.Instance, Token);
        await using (var a = await tier.OpenAsync(Of("a"), Token))
        {
            var error = await Assert.ThrowsAsync<StorageException>(() => tier.OpenAsync(Of("b"), Token));
            Assert.Equal(StorageError.Full, error.Error);
            Assert.Contains("still to be recorded", error.Message, StringComparison.Ordinal);
            await a.FillAsync(cancellationToken: Token);
        }

        await using var b = await tier.OpenAsync(Of("b"), Token);
        await b.FillAsync(cancellationToken: Token);
        Assert.Equal(["a", "b"], (await tier.ListAsync(Token)).Where(blob => blob.Sealed).Select(blob => blob.Key));

        BlobSource Of(string key) => new(key, storage, key, Length, storage.ETagOf(key));
    }

    [Fact]
    public async Task Open_FilesSetAside_CountUntilTheyAreDeleted()
    {
        await using (var tier = await Open())
        {
            await using var lease = await tier.OpenAsync(Source("k"), Token);
            await lease.FillAsync(cancellationToken: Token);
        }

        Directory.CreateDirectory(_folder["lost"]);
        await File.WriteAllBytesAsync(_folder["lost/0000000000000007.blob"], new byte[100_000], Token);
        await using (var tier = await Open())
        {
            Assert.Equal(100_000, tier.SetAsideBytes);
            Assert.Equal(100_000 + 4096, tier.UsedBytes);
        }

        Directory.Delete(_folder["lost"], recursive: true);
        await using var again = await Open();
        Assert.Equal(0, again.SetAsideBytes);
        Assert.Equal(4096, again.UsedBytes);
    }

    [Theory]
    [InlineData(long.MaxValue)]
    [InlineData(long.MaxValue - 4096)]
    [InlineData(1L << 62)]
    [InlineData(LimitBytes - MetadataBytes + 1)]
    public async Task OpenAndPut_LengthThatNoTierHas_IsRefused_AndCountsNothing(long length)
    {
        await using var tier = await Open();

        var opened = await Assert.ThrowsAsync<StorageException>(() => tier.OpenAsync(Source("k") with { LengthBytes = length }, Token));
        var put = await Assert.ThrowsAsync<StorageException>(() => tier.PutAsync("k", TierClass.Checkpoints, new MemoryStream(), length, Token));

        Assert.Equal((StorageError.Full, StorageError.Full), (opened.Error, put.Error));
        Assert.Contains($"{length}", opened.Message, StringComparison.Ordinal);
        Assert.Equal(0, tier.UsedBytes);
        Assert.Empty(await tier.ListAsync(Token));
    }

    [Theory]
    [InlineData(TierClass.Weights)]
    [InlineData(TierClass.Shards)]
    public async Task Open_WithALowerLimit_EvictsUntilItHolds_AlsoBelowAFloor(TierClass tierClass)
    {
        await using (var tier = await Open())
        {
            for (var i = 0; i < 2; i++)
            {
                await using var lease = await tier.OpenAsync(Source($"k{i}") with { Class = tierClass }, Token);
                await lease.FillAsync(cancellationToken: Token);
            }
        }

        // Each blob takes 4096: without one of them the class is below its floor, with both the tier is above its limit.
        var lower = Options() with { LimitBytes = MetadataBytes + 8000, Shares = new Dictionary<TierClass, ClassShare> { [tierClass] = new(FloorBytes: 5000) } };
        await using var again = await NvmeTier.OpenAsync(lower, NullLogger.Instance, Token);

        Assert.Equal(4096, again.UsedBytes);
        Assert.Single(await again.ListAsync(Token));
    }

    [Fact]
    public async Task Open_WithALowerCeiling_EvictsOfThatClassUntilItHolds()
    {
        await using (var tier = await Open())
        {
            for (var i = 0; i < 6; i++)
            {
                await using var lease = await tier.OpenAsync(Source($"k{i}") with { Class = i < 2 ? TierClass.Weights : TierClass.Shards }, Token);
                await lease.FillAsync(cancellationToken: Token);
            }
        }

        var options = Options() with { Shares = new Dictionary<TierClass, ClassShare> { [TierClass.Shards] = new(CeilingBytes: 9000) } };
        await using var again = await NvmeTier.OpenAsync(options, NullLogger.Instance, Token);

        Assert.Equal(2 * 4096, again.UsedBytesOf(TierClass.Shards));
        Assert.Equal(2 * 4096, again.UsedBytesOf(TierClass.Weights));
    }

    private long BytesOf(string folder) => new DirectoryInfo(_folder[folder]).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length);

    private BlobSource Source(string key) => new(key, _storage, Object, 700, _storage.ETagOf(Object));

    private NvmeTierOptions Options() => new() { Folder = _folder.Path, ChunkBytes = 4096, MetadataBytes = MetadataBytes, LimitBytes = LimitBytes };

    private Task<NvmeTier> Open() => NvmeTier.OpenAsync(Options(), NullLogger.Instance, Token);
}
