using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Tiering;
using Platform.UnitTests.ObjectStorage;

namespace Platform.UnitTests.Nvme;

public sealed class NvmeTierCheckTests : IDisposable
{
    private const int Chunk = 8192;
    private const int Length = (3 * Chunk) + 77;
    private readonly TempFolder _folder = new();
    private readonly InMemoryObjectStorage _storage = new();
    private string? _failing;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Check_IntactBlob_FindsNothing_AndOneThatIsNotHereIsNull()
    {
        await using var tier = await Filled();

        var check = await tier.CheckAsync("k", cancellationToken: Token);

        Assert.Empty(check!.Damage);
        Assert.Equal(Length, check.CheckedBytes);
        Assert.Null(await tier.CheckAsync("other", cancellationToken: Token));
    }

    [Fact]
    public async Task Check_DamagedLastChunk_IsRepaired_AndTheFileKeepsItsLength()
    {
        await using (var tier = await Filled())
        {
            NvmeTierTests.Damage(Blob(), Length - 1);
            NvmeTierTests.Damage(Blob(), 5);

            var found = await tier.CheckAsync("k", cancellationToken: Token);
            Assert.Equal([0L, 3 * Chunk], found!.Damage.Select(chunk => chunk.Offset));
            Assert.All(found.Damage, chunk => Assert.Contains("fetched again from object 'k'", chunk.Outlook, StringComparison.Ordinal));

            var repaired = await tier.CheckAsync("k", _storage, Token);
            Assert.All(repaired!.Damage, chunk => Assert.True(chunk.Repaired, chunk.Outlook));
            Assert.Empty((await tier.CheckAsync("k", cancellationToken: Token))!.Damage);
            Assert.Equal(Length, new FileInfo(Blob()).Length);
            Assert.Equal(Pattern.Bytes(Length), await File.ReadAllBytesAsync(Blob(), Token));
        }

        await using var again = await Open();
        Assert.True(Assert.Single(await again.ListAsync(Token)).Sealed);
    }

    [Fact]
    public async Task Open_SealedFileThatARepairHadLengthened_IsCutAndKept()
    {
        await using (await Filled())
        {
            // Closed at once.
        }

        await using (var file = new FileStream(Blob(), FileMode.Open))
        {
            file.SetLength((3 * Chunk) + 4096);
        }

        await using var again = await Open();
        Assert.True(Assert.Single(await again.ListAsync(Token)).Sealed);
        Assert.Equal(Length, new FileInfo(Blob()).Length);
    }

    [Fact]
    public async Task Check_ObjectIsGone_SaysSo_AndTheBlobIsNoLongerWhole()
    {
        await using var tier = await Filled();
        NvmeTierTests.Damage(Blob(), Chunk);
        await _storage.DeleteAsync("k", Token);

        var damage = Assert.Single((await tier.CheckAsync("k", _storage, Token))!.Damage);

        Assert.False(damage.Repaired);
        Assert.Contains("could not be fetched again", damage.Outlook, StringComparison.Ordinal);
        Assert.False(Assert.Single(await tier.ListAsync(Token)).Sealed);
        Assert.Single((await tier.CheckAsync("k", cancellationToken: Token))!.Damage);
        await using var lease = tier.TryOpen("k")!;
        Assert.Throws<InvalidOperationException>(() => lease.FilePath);
    }

    [Fact]
    public async Task Check_OnlyCopy_IsLostAndSaysSo()
    {
        await using var tier = await Open();
        await tier.PutAsync("c", TierClass.Checkpoints, new MemoryStream(Pattern.Bytes(Length)), Length, Token);
        NvmeTierTests.Damage(Blob(), Chunk);

        var damage = Assert.Single((await tier.CheckAsync("c", _storage, Token))!.Damage);

        Assert.False(damage.Repaired);
        Assert.Equal(Chunk, damage.Offset);
        Assert.Contains("lost", damage.Outlook, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check_DeviceCannotRead_IsDamageToo()
    {
        await using var tier = await Filled();
        _failing = "blob.read";

        var check = await tier.CheckAsync("k", cancellationToken: Token);

        Assert.Equal(4, check!.Damage.Count);
        Assert.All(check.Damage, chunk => Assert.Contains("the disk broke", chunk.Problem, StringComparison.Ordinal));
        _failing = null;
        Assert.Empty((await tier.CheckAsync("k", cancellationToken: Token))!.Damage);
    }

    private async Task<NvmeTier> Filled()
    {
        _storage.With("k", Pattern.Bytes(Length));
        var tier = await Open();
        await using var lease = await tier.OpenAsync(new BlobSource("k", _storage, "k", Length, _storage.ETagOf("k")), Token);
        await lease.FillAsync(cancellationToken: Token);
        return tier;
    }

    private string Blob() => Directory.GetFiles(_folder["blobs"]).Single();

    private Task<NvmeTier> Open() => NvmeTier.OpenAsync(
        new NvmeTierOptions { Folder = _folder.Path, ChunkBytes = Chunk, LimitBytes = 64 << 20, FaultPoint = point => ThrowIf(point == _failing) },
        NullLogger.Instance,
        Token);

    private static void ThrowIf(bool now)
    {
        if (now)
        {
            throw new IOException("the disk broke", 5);
        }
    }
}
