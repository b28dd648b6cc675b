using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Tiering;
using Platform.UnitTests.ObjectStorage;

namespace Platform.UnitTests.Nvme;

/// <summary>A catalog that is damaged or gone costs no only copy its bytes, however often the repair of it is cut short.</summary>
public sealed class NvmeTierLostCatalogTests : IDisposable
{
    private const int Chunk = 8192;
    private static readonly byte[] Only = Pattern.Bytes(2 * Chunk, 9);
    private static readonly byte[] Weights = Pattern.Bytes(Chunk + 5, 1);
    private readonly TempFolder _folder = new();
    private readonly InMemoryObjectStorage _storage = new InMemoryObjectStorage().With("w", Weights);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("log.0", 80)]
    [InlineData("log.0", 300)]
    [InlineData("commit", 20)]
    public async Task Open_DamagedAndStoppedAtAnyStep_TheOnlyCopyIsThereOrSetAside(string file, long offset)
    {
        await FillAsync();
        NvmeTierTests.Damage(_folder[$"catalog/{file}"], offset);
        if (file == "commit")
        {
            NvmeTierTests.Damage(_folder["catalog/commit"], 4096 + offset);
        }

        var stops = 0;
        for (var stopAt = 1; ; stopAt++)
        {
            // Everything from a step on fails, as if the process had been killed there.
            var steps = 0;
            try
            {
                await using var tier = await OpenAsync(_ => Durable.DurableLogTests.ThrowIf(++steps >= stopAt));
                await CheckAsync(tier);
                break;
            }
            catch (StorageException)
            {
                stops++;
            }
        }

        Assert.InRange(stops, 3, 100);
        Assert.True(Directory.Exists(_folder["catalog.damaged"]));
        await using var again = await OpenAsync();
        await CheckAsync(again);
    }

    [Fact]
    public async Task Open_StoppedBetweenTheRenames_GoesOn()
    {
        await FillAsync();
        NvmeTierTests.Damage(_folder["catalog/log.0"], 80);
        await using (await OpenAsync())
        {
        }

        // Where it stood when the damaged one was out of the way and the new one not yet in its place.
        Directory.Move(_folder["catalog"], _folder["catalog.new"]);
        await using var again = await OpenAsync();
        await CheckAsync(again);
        Assert.False(Directory.Exists(_folder["catalog.new"]));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Open_CatalogIsGone_SetsTheFilesAside(bool folderToo)
    {
        await FillAsync();
        Directory.Delete(_folder["catalog"], recursive: true);
        if (!folderToo)
        {
            Directory.CreateDirectory(_folder["catalog"]);
        }

        await using var tier = await OpenAsync();
        Assert.Null(tier.TryOpen("only"));
        await CheckAsync(tier);
        Assert.Equal(Only.Length + Weights.Length, tier.SetAsideBytes);
    }

    [Fact]
    public async Task Open_DamagedAgain_SetsNothingAsideInThePlaceOfWhatIsThere()
    {
        await FillAsync();
        NvmeTierTests.Damage(_folder["catalog/log.0"], 200);
        await using (await OpenAsync())
        {
        }

        var lost = Directory.GetFiles(_folder["lost"]).ToDictionary(path => path, File.ReadAllBytes);
        await using (var later = await OpenAsync())
        {
            await later.PutAsync("late", TierClass.Checkpoints, Pattern.Bytes(100), Token);
        }

        NvmeTierTests.Damage(_folder["catalog/log.0"], 200);
        await using (await OpenAsync())
        {
        }

        Assert.All(lost, file => Assert.Equal(file.Value, File.ReadAllBytes(file.Key)));
        Assert.Equal(lost.Count + 1, Directory.GetFiles(_folder["lost"]).Length);
    }

    private async Task FillAsync()
    {
        await using var tier = await OpenAsync();
        await using (var lease = await tier.OpenAsync(Source(), Token))
        {
            await lease.FillAsync(cancellationToken: Token);
        }

        await tier.PutAsync("only", TierClass.Checkpoints, Only, Token);
    }

    private async Task CheckAsync(NvmeTier tier)
    {
        await using (var lease = await tier.OpenAsync(Source(), Token))
        {
            Assert.Equal(Weights, await NvmeTierTests.ReadAll(lease));
        }

        await using var only = tier.TryOpen("only");
        if (only is not null)
        {
            Assert.Equal(Only, await NvmeTierTests.ReadAll(only));
        }
        else
        {
            Assert.Contains(Directory.GetFiles(_folder["lost"]), file => File.ReadAllBytes(file).AsSpan().SequenceEqual(Only));
        }
    }

    private BlobSource Source() => new("w", _storage, "w", Weights.Length, _storage.ETagOf("w"));

    private Task<NvmeTier> OpenAsync(Action<string>? faultPoint = null) =>
        NvmeTier.OpenAsync(new NvmeTierOptions { Folder = _folder.Path, ChunkBytes = Chunk, LimitBytes = 64 << 20, FaultPoint = faultPoint }, NullLogger.Instance, Token);
}
