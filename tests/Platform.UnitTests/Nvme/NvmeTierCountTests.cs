using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane.Nvme;
using Platform.UnitTests.ObjectStorage;

namespace Platform.UnitTests.Nvme;

/// <summary>What the tier costs, by count: bytes on the device per byte let in, bytes of index per byte kept.</summary>
public sealed class NvmeTierCountTests : IDisposable
{
    private const int MiB = 1 << 20;
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Fill_ThreeTimesTheLimit_WritesHardlyMoreThanItLetsIn()
    {
        const int Length = (4 * MiB) - 1000;
        const int Fit = 5;
        var storage = new InMemoryObjectStorage();
        await using var tier = await NvmeTier.OpenAsync(
            new NvmeTierOptions { Folder = _folder.Path, ChunkBytes = MiB, MetadataBytes = 4 * MiB, LimitBytes = (4 + (4 * Fit)) * MiB },
            NullLogger.Instance,
            Token);
        var admitted = 0L;

        for (var i = 0; i < 3 * Fit; i++)
        {
            storage.With($"b{i}", Pattern.Bytes(Length, i));
            await using var lease = await tier.OpenAsync(new BlobSource($"b{i}", storage, $"b{i}", Length, storage.ETagOf($"b{i}")), Token);
            await lease.FillAsync(cancellationToken: Token);
            admitted += Length;
        }

        Assert.Equal(Fit, (await tier.ListAsync(Token)).Count);
        var ratio = (tier.Device.BytesWritten + tier.CatalogDevice.BytesWritten) / (double)admitted;
        Assert.InRange(ratio, 1.0, 1.05);
    }

    [Fact]
    public async Task Catalog_PerGigabyteKept_IsSmall()
    {
        var storage = new InMemoryObjectStorage();
        await using var tier = await NvmeTier.OpenAsync(new NvmeTierOptions { Folder = _folder.Path, LimitBytes = 128 * MiB }, NullLogger.Instance, Token);
        for (var i = 0; i < 3; i++)
        {
            storage.With($"models/a-model-with-a-long-name/model-0000{i}-of-00003.safetensors", Pattern.Bytes(24 * MiB, i));
        }

        await foreach (var item in storage.ListAsync("models/", Token))
        {
            await using var lease = await tier.OpenAsync(new BlobSource(item.Key, storage, item.Key, item.LengthBytes, item.ETag), Token);
            await lease.FillAsync(cancellationToken: Token);
        }

        Assert.InRange(tier.CatalogBytes * 1e9 / tier.UsedBytes, 1, 24 * 1024);
    }
}
