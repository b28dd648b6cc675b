using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Tiering;

namespace Platform.UnitTests.Nvme;

/// <summary>A tier on a file system that is really full, though its own limit would leave room.</summary>
public sealed class NvmeTierFullDiskTests
{
    private const int MiB = 1 << 20;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Put_DiskFull_IsRefusedByName_KeepsWhatIsThere_AndWorksOnceThereIsRoom()
    {
        using var disk = SmallDisk.MountOrSkip(48);
        var (kept, refused) = (Pattern.Bytes((5 * MiB) + 17, 1), Pattern.Bytes(6 * MiB, 2));
        await using (var tier = await Open(disk))
        {
            await Put(tier, "kept", kept);
            var ballast = disk.Fill();

            var error = await Assert.ThrowsAsync<StorageException>(() => Put(tier, "refused", refused));

            Assert.Equal(StorageError.Full, error.Error);
            Assert.Contains("refused", error.Message, StringComparison.Ordinal);
            Assert.Equal(kept, await Read(tier, "kept"));
            File.Delete(ballast);
            await Put(tier, "after", refused);
        }

        await using var again = await Open(disk);
        Assert.Equal(kept, await Read(again, "kept"));
        Assert.Equal(refused, await Read(again, "after"));
        Assert.Equal(["after", "kept"], (await again.ListAsync(Token)).Select(blob => blob.Key).Order());
        Assert.Equal(2, Directory.GetFiles(disk["tier"], "*.blob", SearchOption.AllDirectories).Length);
    }

    [Fact]
    public async Task Open_DiskFull_ServesWhatIsThere_AndCanMakeRoom()
    {
        using var disk = SmallDisk.MountOrSkip(48);
        var kept = Pattern.Bytes((5 * MiB) + 17, 1);
        await using (var tier = await Open(disk))
        {
            await Put(tier, "kept", kept);
            await Put(tier, "other", kept);
        }

        disk.Fill();
        await using var again = await Open(disk);

        Assert.Equal(kept, await Read(again, "kept"));
        Assert.True(await again.RemoveAsync("other", Token));
        await Put(again, "new", kept.AsMemory(0, 4 * MiB).ToArray());
        Assert.Equal(["kept", "new"], (await again.ListAsync(Token)).Select(blob => blob.Key).Order());
    }

    private static Task Put(NvmeTier tier, string key, byte[] bytes) => tier.PutAsync(key, TierClass.Checkpoints, new MemoryStream(bytes), bytes.Length, Token);

    private static async Task<byte[]> Read(NvmeTier tier, string key)
    {
        await using var lease = tier.TryOpen(key)!;
        return await NvmeTierTests.ReadAll(lease);
    }

    private static Task<NvmeTier> Open(SmallDisk disk) => NvmeTier.OpenAsync(new NvmeTierOptions { Folder = disk["tier"], ChunkBytes = MiB, LimitBytes = 256 * MiB }, NullLogger.Instance, Token);
}
