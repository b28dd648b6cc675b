using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Tiering;

namespace Platform.UnitTests.Nvme;

/// <summary>An only copy is written anew and the device fails, or the catalog cannot be read: the version that was acknowledged is not lost with the one that was not.</summary>
public sealed class NvmeTierRewriteTests : IDisposable
{
    private const int Chunk = 4096;
    private static readonly byte[] Old = Pattern.Bytes((2 * Chunk) + 5, 1);
    private static readonly byte[] New = Pattern.Bytes((3 * Chunk) + 7, 2);
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("log.sync")]
    [InlineData("log.write")]
    [InlineData("blob.sync")]
    [InlineData("blob.cut")]
    public async Task Put_SameKeyAgain_FailsAndTheProcessEnds_OneOfThemIsThereWhole(string point)
    {
        var fails = false;
        var reached = false;
        await using (var tier = await OpenAsync(at => ThrowIf(Volatile.Read(ref fails) && ((reached |= at == point) && IsOfCatalog(at) || at == point))))
        {
            await tier.PutAsync("k", TierClass.Checkpoints, Old, Token);
            Volatile.Write(ref fails, true);

            Assert.Equal(StorageError.Io, (await Assert.ThrowsAsync<StorageException>(() => tier.PutAsync("k", TierClass.Checkpoints, New, Token))).Error);
            Assert.Equal(Old, await ReadAsync(tier));
        }

        // As after a kill: nothing more got to the catalog since the commit that failed.
        await using var again = await OpenAsync(null);
        var found = await ReadAsync(again);
        Assert.True(found.AsSpan().SequenceEqual(Old) || found.AsSpan().SequenceEqual(New), "neither version is there");
        Assert.Single(Directory.GetFiles(_folder["blobs"]));
        Assert.False(Directory.Exists(_folder["lost"]));
    }

    [Fact]
    public async Task Put_SameKeyAgain_Fails_OnceTheDeviceIsWellItsRoomIsGivenBack()
    {
        var fails = false;
        var reached = false;
        await using var tier = await OpenAsync(at => ThrowIf(Volatile.Read(ref fails) && (reached |= at == "log.sync") && IsOfCatalog(at)));
        await tier.PutAsync("k", TierClass.Checkpoints, Old, Token);
        Volatile.Write(ref fails, true);
        await Assert.ThrowsAsync<StorageException>(() => tier.PutAsync("k", TierClass.Checkpoints, New, Token));
        Volatile.Write(ref fails, false);

        await tier.PutAsync("other", TierClass.Checkpoints, new byte[1], Token);

        Assert.Equal(Old, await ReadAsync(tier));
        Assert.Equal((3 * Chunk) + Chunk, tier.UsedBytes);
        Assert.Equal(2, Directory.GetFiles(_folder["blobs"]).Length);
    }

    [Fact]
    public async Task Open_CatalogCannotBeReadOnce_IsAFailureOfTheDevice_AndNothingIsSetAside()
    {
        await using (var tier = await OpenAsync(null))
        {
            await tier.PutAsync("k", TierClass.Checkpoints, Old, Token);
        }

        var failures = 0;
        for (var failing = 1; ; failing++)
        {
            var reads = 0;
            try
            {
                await using var tier = await OpenAsync(at => ThrowIf(at == "log.read" && ++reads == failing));
                Assert.True(reads < failing, $"read {failing} of the catalog failed, and nobody heard of it");
                break;
            }
            catch (StorageException error)
            {
                failures++;
                Assert.Equal(StorageError.Io, error.Error);
                Assert.Contains(_folder["catalog"], error.Message, StringComparison.Ordinal);
            }
        }

        Assert.InRange(failures, 1, 100);
        await using var again = await OpenAsync(null);
        Assert.Equal(Old, await ReadAsync(again));
        Assert.Equal(0, again.SetAsideBytes);
    }

    private static bool IsOfCatalog(string point) => point.StartsWith("log.", StringComparison.Ordinal) || point.StartsWith("commit.", StringComparison.Ordinal);

    private static async Task<byte[]> ReadAsync(NvmeTier tier)
    {
        await using var lease = tier.TryOpen("k");
        return lease is null ? [] : await NvmeTierTests.ReadAll(lease);
    }

    private static void ThrowIf(bool now)
    {
        if (now)
        {
            throw new IOException("Input/output error", 5);
        }
    }

    private Task<NvmeTier> OpenAsync(Action<string>? faultPoint) => NvmeTier.OpenAsync(
        new NvmeTierOptions { Folder = _folder.Path, ChunkBytes = Chunk, MetadataBytes = 4 << 20, LimitBytes = (4 << 20) + (64 * Chunk), FaultPoint = faultPoint },
        NullLogger.Instance,
        Token);
}
