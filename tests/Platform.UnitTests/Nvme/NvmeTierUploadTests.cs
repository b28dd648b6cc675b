using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Tiering;
using Platform.UnitTests.ObjectStorage;

namespace Platform.UnitTests.Nvme;

/// <summary>An upload in parts that breaks off goes on where it was, whatever stopped it, and leaves nothing behind in object storage.</summary>
public sealed class NvmeTierUploadTests : IDisposable
{
    private const int Part = 8192;
    private const int Length = (5 * Part) + 77;
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Upload_PartFails_TheNextTrySendsThatPartAndTheRest()
    {
        var (storage, uploads) = NewStorage();
        uploads.BeforePart = (number, times) => number == 3 && times == 1 ? throw new StorageException(StorageError.Unavailable, "it is away") : Task.CompletedTask;
        await using var tier = await Open();
        tier.StartUploads(storage, key => key);

        await Put(tier, "k", 1);
        await tier.WhenUploadedAsync(Token);

        Assert.Equal([1, 2, 3, 3, 4, 5, 6], uploads.Attempts);
        Assert.Equal(Pattern.Bytes(Length, 1), await Read(storage, "k"));
        Assert.Equal(0, storage.OpenUploads());
    }

    [Fact]
    public async Task Upload_TierIsReopenedInTheMiddle_SendsExactlyWhatIsMissing()
    {
        var (storage, uploads) = NewStorage();
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        uploads.BeforePart = async (number, _) =>
        {
            if (number == 4)
            {
                reached.SetResult();
                await Task.Delay(Timeout.Infinite, uploads.PartToken);
            }
        };
        await using (var tier = await Open())
        {
            await Put(tier, "k", 1);
            tier.StartUploads(storage, key => key);
            await reached.Task.WaitAsync(Token);
        }

        uploads.Attempts.Clear();
        uploads.BeforePart = null;
        await using var again = await Open();
        again.StartUploads(storage, key => key);
        await again.WhenUploadedAsync(Token);

        Assert.Equal([4, 5, 6], uploads.Attempts);
        Assert.Equal(Pattern.Bytes(Length, 1), await Read(storage, "k"));
        Assert.Equal(0, storage.OpenUploads());
        var blob = Assert.Single(await again.ListAsync(Token));
        Assert.Equal(Durability.Replicated, blob.Durability);
        Assert.Equal((await storage.HeadAsync("k", Token))!.ETag, blob.ETag);
    }

    [Fact]
    public async Task Upload_StorageLostIt_BeginsAnew()
    {
        var (storage, uploads) = NewStorage();
        uploads.BeforePart = (number, times) =>
        {
            if (number == 3 && times == 1)
            {
                storage.DropUploads();
            }

            return Task.CompletedTask;
        };
        await using var tier = await Open();
        tier.StartUploads(storage, key => key);

        await Put(tier, "k", 1);
        await tier.WhenUploadedAsync(Token);

        Assert.Equal([1, 2, 3, 1, 2, 3, 4, 5, 6], uploads.Attempts);
        Assert.Equal(Pattern.Bytes(Length, 1), await Read(storage, "k"));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Upload_BlobIsRemovedOrReplacedBetweenLives_IsAborted(bool replaced)
    {
        var (storage, uploads) = NewStorage();
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        uploads.BeforePart = async (number, _) =>
        {
            if (number == 4)
            {
                reached.TrySetResult();
                await Task.Delay(Timeout.Infinite, uploads.PartToken);
            }
        };
        await using (var tier = await Open())
        {
            await Put(tier, "k", 1);
            tier.StartUploads(storage, key => key);
            await reached.Task.WaitAsync(Token);
        }

        Assert.Equal(1, storage.OpenUploads());
        uploads.BeforePart = null;
        await using var again = await Open();
        if (replaced)
        {
            await Put(again, "k", 2);
        }
        else
        {
            await again.RemoveAsync("k", Token);
            await Put(again, "other", 2);
        }

        again.StartUploads(storage, key => key);
        await again.WhenUploadedAsync(Token);

        // The abort comes before the upload.
        Assert.Equal(0, storage.OpenUploads());
        Assert.Equal(Pattern.Bytes(Length, 2), await Read(storage, replaced ? "k" : "other"));
        Assert.Equal(replaced, await storage.HeadAsync("k", Token) is not null);
    }

    [Fact]
    public async Task Upload_RemovedWhileAPartIsOnItsWay_IsAbortedWithoutAnotherWrite()
    {
        var (storage, uploads) = NewStorage();
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var goOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        uploads.BeforePart = async (number, _) =>
        {
            if (number == 2)
            {
                reached.SetResult();
                await goOn.Task;
            }
        };
        await using var tier = await Open();
        tier.StartUploads(storage, key => key);
        await Put(tier, "k", 1);
        await reached.Task.WaitAsync(Token);

        await tier.RemoveAsync("k", Token);
        goOn.SetResult();
        await uploads.Aborted.Task.WaitAsync(Token);

        Assert.Equal([1, 2], uploads.Attempts);
        Assert.Null(await storage.HeadAsync("k", Token));
    }

    [Fact]
    public async Task Upload_NoLargerThanAPart_GoesInOnePut()
    {
        var (storage, uploads) = NewStorage();
        await using var tier = await Open();
        tier.StartUploads(storage, key => key);

        await tier.PutAsync("k", TierClass.Checkpoints, new MemoryStream(Pattern.Bytes(Part)), Part, Token);
        await tier.WhenUploadedAsync(Token);

        Assert.Empty(uploads.Attempts);
        Assert.Equal(Pattern.Bytes(Part), await Read(storage, "k"));
    }

    [Fact(Timeout = 60_000)]
    public async Task Upload_OneThatCannotBeRead_HoldsUpNoOther()
    {
        var (storage, _) = NewStorage();
        await using var tier = await Open();
        await Put(tier, "bad", 1);
        NvmeTierTests.Damage(Assert.Single(Directory.GetFiles(_folder["tier/blobs"])), 5);
        await Put(tier, "good", 2);
        tier.StartUploads(storage, key => key);

        // There is room for two that are nowhere else: the others get in as those before them are uploaded.
        for (var seed = 3; seed < 8; seed++)
        {
            await Put(tier, $"good-{seed}", seed);
        }

        Assert.Equal(Pattern.Bytes(Length, 2), await Read(storage, "good"));
        Assert.Equal(Durability.OnlyCopy, tier.Explain("bad").Blob!.Durability);
        Assert.Contains("damaged", tier.Explain("bad").UploadFailure, StringComparison.Ordinal);
    }

    [Fact(Timeout = 60_000)]
    public async Task Upload_AnotherCannotBeGivenUp_HoldsUpNone()
    {
        var (storage, uploads) = NewStorage();
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        uploads.BeforePart = async (number, _) =>
        {
            if (number == 2)
            {
                reached.TrySetResult();
                await Task.Delay(Timeout.Infinite, uploads.PartToken);
            }
        };
        await using (var tier = await Open())
        {
            await Put(tier, "gone", 1);
            tier.StartUploads(storage, key => key);
            await reached.Task.WaitAsync(Token);
        }

        uploads.BeforePart = null;
        uploads.BeforeAbort = () => throw new StorageException(StorageError.Unavailable, "it is away");
        await using var again = await Open();
        await again.RemoveAsync("gone", Token);
        again.StartUploads(storage, key => key);
        for (var seed = 3; seed < 20; seed++)
        {
            await Put(again, $"good-{seed}", seed);
        }

        await again.WhenUploadedAsync(Token);
        Assert.Equal(1, storage.OpenUploads());
    }

    private static Task Put(NvmeTier tier, string key, int seed) => tier.PutAsync(key, TierClass.Checkpoints, new MemoryStream(Pattern.Bytes(Length, seed)), Length, Token);

    private static async Task<byte[]> Read(WatchedStorage storage, string key)
    {
        var bytes = new byte[(await storage.HeadAsync(key, Token))!.LengthBytes];
        await storage.ReadAsync(key, 0, bytes, cancellationToken: Token);
        return bytes;
    }

    private (WatchedStorage Storage, WatchedUploads Uploads) NewStorage()
    {
        var storage = new WatchedStorage(_folder["objects"]);
        return (storage, storage.Watched);
    }

    private Task<NvmeTier> Open() => NvmeTier.OpenAsync(
        new NvmeTierOptions { Folder = _folder["tier"], ChunkBytes = 4096, MetadataBytes = 4 << 20, LimitBytes = (4 << 20) + (64 * 4096), OnlyCopyLimitBytes = 23 * 4096, UploadPartBytes = Part, Time = new ImpatientTime() },
        NullLogger.Instance,
        Token);
}
