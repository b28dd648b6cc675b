using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Tiering;
using Platform.UnitTests.ObjectStorage;

namespace Platform.UnitTests.Nvme;

public sealed class NvmeTierPinTests : IDisposable
{
    private const int Chunk = 4096;
    private readonly TempFolder _folder = new();
    private readonly InMemoryObjectStorage _storage = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Pin_BlobThatIsHere_StaysWhateverComes_AlsoAfterReopen_UntilItIsUnpinned()
    {
        await using (var tier = await Open())
        {
            await Fill(tier, "a");
            Assert.True(await tier.PinAsync("a", Token));
            Assert.False(await tier.PinAsync("a", Token));
        }

        await using var again = await Open();
        foreach (var key in new[] { "b", "c", "d", "e" })
        {
            await Fill(again, key);
        }

        Assert.Contains(await again.ListAsync(Token), blob => blob is { Key: "a", Pinned: true, Sealed: true });
        Assert.Contains("pinned", again.Explain("a").Eviction, StringComparison.Ordinal);
        Assert.Null(again.Explain("a").EvictionRank);

        Assert.True(await again.UnpinAsync("a", Token));
        Assert.False(await again.UnpinAsync("a", Token));
        Assert.NotNull(again.Explain("a").EvictionRank);
    }

    [Fact]
    public async Task Pin_KeyThatIsNotHere_HoldsOnceItComes_AndWhenItIsReplaced()
    {
        await using var tier = await Open();
        await tier.PinAsync("a", Token);
        Assert.Contains("pinned", tier.Explain("a").Reason, StringComparison.Ordinal);

        await Fill(tier, "a");
        await Fill(tier, "a", version: 2);
        foreach (var key in new[] { "b", "c", "d", "e" })
        {
            await Fill(tier, key);
        }

        await using var lease = tier.TryOpen("a")!;
        var bytes = new byte[lease.LengthBytes];
        await lease.ReadAsync(0, bytes, Token);
        Assert.Equal(Pattern.Bytes(3 * Chunk, 2), bytes);
    }

    [Fact]
    public async Task Open_EverythingIsPinned_IsFull()
    {
        await using var tier = await Open();
        await Fill(tier, "a");
        await Fill(tier, "b");
        await tier.PinAsync("a", Token);
        await tier.PinAsync("b", Token);

        Assert.Equal(StorageError.Full, (await Assert.ThrowsAsync<StorageException>(() => Fill(tier, "c"))).Error);
    }

    [Fact]
    public async Task WhenUploaded_OnlyCopyIsRemoved_Completes()
    {
        await using var tier = await Open();
        await tier.PutAsync("k", TierClass.Checkpoints, new MemoryStream(new byte[10]), 10, Token);

        var uploaded = tier.WhenUploadedAsync(Token);
        await tier.RemoveAsync("k", Token);

        await uploaded;
    }

    [Fact]
    public async Task WhenUploaded_TierCloses_DoesNotWaitForEver()
    {
        var tier = await Open();
        await tier.PutAsync("k", TierClass.Checkpoints, new MemoryStream(new byte[10]), 10, Token);

        var uploaded = tier.WhenUploadedAsync(Token);
        await tier.DisposeAsync();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => uploaded);
    }

    private async Task Fill(NvmeTier tier, string key, int version = 1)
    {
        _storage.With(key, Pattern.Bytes(3 * Chunk, version));
        await using var lease = await tier.OpenAsync(new BlobSource(key, _storage, key, 3 * Chunk, _storage.ETagOf(key)), Token);
        await lease.FillAsync(cancellationToken: Token);
    }

    private Task<NvmeTier> Open() => NvmeTier.OpenAsync(
        new NvmeTierOptions { Folder = _folder.Path, ChunkBytes = Chunk, MetadataBytes = 4 << 20, LimitBytes = (4 << 20) + (7 * Chunk) },
        NullLogger.Instance,
        Token);
}
