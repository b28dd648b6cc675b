using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Tiering;
using Platform.UnitTests.ObjectStorage;

namespace Platform.UnitTests.Nvme;

public sealed class NvmeTierStressTests : IDisposable
{
    private const int Chunk = 4096;
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Everything_AtOnceOnATinyBudget_NeverAWrongByteAndNeverOverTheLimit()
    {
        var storage = new InMemoryObjectStorage();
        for (var i = 0; i < 20; i++)
        {
            storage.With($"b{i}", Pattern.Bytes((i % 5 * Chunk) + 100, i));
        }

        var uploads = new InMemoryObjectStorage();
        await using var tier = await NvmeTier.OpenAsync(
            new NvmeTierOptions
            {
                Folder = _folder.Path,
                ChunkBytes = Chunk,
                Buffers = 4,
                MetadataBytes = 4 << 20,
                LimitBytes = (4 << 20) + (40 * Chunk),
                Shares = new Dictionary<TierClass, ClassShare> { [TierClass.Weights] = new(4 * Chunk), [TierClass.Shards] = new(0, 20 * Chunk) },
            },
            NullLogger.Instance,
            TestContext.Current.CancellationToken);
        tier.StartUploads(uploads, key => key);

        await Task.WhenAll(Enumerable.Range(0, 64).Select(worker => Task.Run(() => WorkAsync(tier, storage, worker), TestContext.Current.CancellationToken)));
        await tier.WhenUploadedAsync(TestContext.Current.CancellationToken);

        Assert.InRange(tier.UsedBytes, 0, tier.LimitBytes);
        Assert.All(await tier.ListAsync(TestContext.Current.CancellationToken), blob => Assert.Equal(0, blob.Leases));
        Assert.Equal((await tier.ListAsync(TestContext.Current.CancellationToken)).Sum(blob => blob.AllocatedBytes), tier.UsedBytes);
        Assert.Equal((await tier.ListAsync(TestContext.Current.CancellationToken)).Count, Directory.GetFiles(_folder["blobs"]).Length);
    }

    private static async Task WorkAsync(NvmeTier tier, InMemoryObjectStorage storage, int worker)
    {
        var random = new Random(worker);
        for (var step = 0; step < 25; step++)
        {
            try
            {
                switch (random.Next(10))
                {
                    case 0:
                        await tier.RemoveAsync($"b{random.Next(20)}");
                        break;
                    case 1:
                        await tier.PutAsync($"own-{worker % 8}", TierClass.Checkpoints, new MemoryStream(Pattern.Bytes(2 * Chunk, worker)), 2 * Chunk);
                        break;
                    default:
                        await ReadAsync(tier, storage, random);
                        break;
                }
            }
            catch (StorageException error) when (error.Error == StorageError.Full)
            {
                // Everything else was in use at that instant, and the answer says so.
            }

            Assert.InRange(tier.UsedBytes, 0, tier.LimitBytes);
        }
    }

    private static async Task ReadAsync(NvmeTier tier, InMemoryObjectStorage storage, Random random)
    {
        var number = random.Next(20);
        var key = $"b{number}";
        var expected = Pattern.Bytes((number % 5 * Chunk) + 100, number);
        await using var lease = await tier.OpenAsync(new BlobSource(key, storage, key, expected.Length, storage.ETagOf(key)) { Class = (TierClass)(number % 3 == 0 ? 1 : 0) });
        var offset = random.Next(expected.Length);
        var target = new byte[random.Next(expected.Length - offset)];
        await lease.ReadAsync(offset, target);
        Assert.Equal(expected.AsSpan(offset, target.Length).ToArray(), target);
    }
}
