using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Tiering;
using Platform.UnitTests.ObjectStorage;

namespace Platform.UnitTests.Nvme;

/// <summary>Object storage that never answers holds up those who read from it, and nobody else.</summary>
public sealed class NvmeTierStalledStorageTests : IDisposable
{
    private const int Chunk = 8192;
    private readonly TempFolder _folder = new();
    private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly InMemoryObjectStorage _storage = new InMemoryObjectStorage().With("stalled", Pattern.Bytes(4 * Chunk, 1)).With("other", Pattern.Bytes(4 * Chunk, 2));

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Put_RoomIsTakenByABlobWhoseReaderGaveUp_NeedsNoAnswer()
    {
        await using var tier = await OpenAsync();
        await AskAndGiveUpAsync(tier);

        await tier.PutAsync("k", TierClass.Checkpoints, Pattern.Bytes(4 * Chunk, 3), Token);

        await using (var lease = tier.TryOpen("k")!)
        {
            Assert.Equal(Pattern.Bytes(4 * Chunk, 3), await NvmeTierTests.ReadAll(lease));
        }

        await CheckAllAfterTheAnswerAsync(tier, "k");
    }

    [Fact]
    public async Task Put_OfTheStalledKeyItself_NeedsNoAnswer()
    {
        await using var tier = await OpenAsync(blobs: 2);
        await AskAndGiveUpAsync(tier);

        await tier.PutAsync("stalled", TierClass.Checkpoints, Pattern.Bytes(4 * Chunk, 3), Token);

        await using (var lease = tier.TryOpen("stalled")!)
        {
            Assert.Equal(Pattern.Bytes(4 * Chunk, 3), await NvmeTierTests.ReadAll(lease));
        }

        await CheckAllAfterTheAnswerAsync(tier, "stalled");
    }

    [Fact]
    public async Task Open_ChangedObject_WhileReadersOfTheOldOneWait_NeedsNoAnswer()
    {
        await using var tier = await OpenAsync(blobs: 2);
        var old = await tier.OpenAsync(Source("stalled"), Token);
        var read = NvmeTierTests.ReadAll(old);
        await _asked.Task.WaitAsync(Token);

        await using var other = await tier.OpenAsync(Source("stalled") with { ObjectKey = "other", ETag = _storage.ETagOf("other") }, Token);
        Assert.Equal(Pattern.Bytes(4 * Chunk, 2), await NvmeTierTests.ReadAll(other));

        _answer.SetResult();
        Assert.Equal(Pattern.Bytes(4 * Chunk, 1), await read);
        await old.DisposeAsync();
        Assert.Single(Directory.GetFiles(_folder["blobs"]));
        Assert.Equal(4 * Chunk, tier.UsedBytes);
    }

    [Fact]
    public async Task Dispose_NeedsNoAnswer_AndWhoWaitsIsTold()
    {
        var tier = await OpenAsync();
        await using var lease = await tier.OpenAsync(Source("stalled"), Token);
        var read = NvmeTierTests.ReadAll(lease);
        await _asked.Task.WaitAsync(Token);

        await tier.DisposeAsync();

        await Assert.ThrowsAsync<ObjectDisposedException>(() => read);
    }

    private async Task AskAndGiveUpAsync(NvmeTier tier)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Token);
        await using var lease = await tier.OpenAsync(Source("stalled"), Token);
        var read = lease.ReadAsync(0, new byte[100], patience.Token).AsTask();
        await _asked.Task.WaitAsync(Token);
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => read);
    }

    /// <summary>An answer that comes when the blob is gone changes nothing.</summary>
    private async Task CheckAllAfterTheAnswerAsync(NvmeTier tier, string key)
    {
        _answer.SetResult();
        await tier.DisposeAsync();
        await using var again = await OpenAsync(blobs: 2);
        Assert.Equal([key], (await again.ListAsync(Token)).Select(blob => blob.Key));
        Assert.Single(Directory.GetFiles(_folder["blobs"]));
        await foreach (var damage in again.VerifyAsync(Token))
        {
            Assert.Fail(damage);
        }
    }

    private BlobSource Source(string key) => new(key, _storage, key, 4 * Chunk, _storage.ETagOf(key));

    private Task<NvmeTier> OpenAsync(int blobs = 1)
    {
        _storage.BeforeRead = (key, _) =>
        {
            if (key != "stalled")
            {
                return Task.CompletedTask;
            }

            _asked.TrySetResult();
            return _answer.Task;
        };
        return NvmeTier.OpenAsync(
            new NvmeTierOptions { Folder = _folder.Path, ChunkBytes = Chunk, MetadataBytes = 4 << 20, LimitBytes = (4 << 20) + (blobs * 4 * Chunk), OnlyCopyLimitBytes = 4 * Chunk },
            NullLogger.Instance,
            Token);
    }
}
