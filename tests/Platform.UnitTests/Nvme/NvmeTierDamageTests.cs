using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Tiering;
using Platform.UnitTests.ObjectStorage;

namespace Platform.UnitTests.Nvme;

/// <summary>Flips bytes in the files of a closed tier and opens it again.</summary>
public sealed class NvmeTierDamageTests : IDisposable
{
    private const int Chunk = 8192;
    private readonly TempFolder _folder = new();
    private readonly InMemoryObjectStorage _storage = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Open_AnyByteFlipped_RecoverableBlobsAreRight_AndALostOneSaysSo()
    {
        for (var i = 0; i < 4; i++)
        {
            _storage.With($"b{i}", Pattern.Bytes((i * Chunk) + 777, i));
        }

        await using (var tier = await Open(_folder["whole"]))
        {
            for (var i = 0; i < 4; i++)
            {
                await using var lease = await tier.OpenAsync(Source($"b{i}"), Token);
                await lease.FillAsync(cancellationToken: Token);
            }

            await tier.PutAsync("only", TierClass.Checkpoints, new MemoryStream(Pattern.Bytes(2 * Chunk, 9)), 2 * Chunk, Token);
        }

        var random = new Random(2);
        var files = Directory.GetFiles(_folder["whole"], "*", SearchOption.AllDirectories).Where(file => new FileInfo(file).Length > 0).Order(StringComparer.Ordinal).ToList();
        for (var round = 0; round < 60; round++)
        {
            var damaged = _folder[$"damaged-{round}"];
            Copy(_folder["whole"], damaged);
            var file = files[round % files.Count].Replace(_folder["whole"], damaged, StringComparison.Ordinal);
            NvmeTierTests.Damage(file, random.NextInt64(Math.Min(new FileInfo(file).Length, 12_000)));

            await using var tier = await Open(damaged);
            for (var i = 0; i < 4; i++)
            {
                await using var lease = await tier.OpenAsync(Source($"b{i}"), Token);
                var bytes = new byte[lease.LengthBytes];
                await lease.ReadAsync(0, bytes, Token);
                Assert.Equal(Pattern.Bytes((i * Chunk) + 777, i), bytes);
            }

            await CheckOnlyCopy(tier, damaged);
            await tier.DisposeAsync();
            Directory.Delete(damaged, recursive: true);
        }
    }

    private static async Task CheckOnlyCopy(NvmeTier tier, string folder)
    {
        await using var only = tier.TryOpen("only");
        if (only is null)
        {
            // Its record was behind the damage. Its bytes were set aside.
            Assert.NotEmpty(Directory.GetFiles(Path.Combine(folder, "lost")));
            return;
        }

        var copy = new byte[only.LengthBytes];
        try
        {
            await only.ReadAsync(0, copy, Token);
            Assert.Equal(Pattern.Bytes(2 * Chunk, 9), copy);
        }
        catch (StorageException error)
        {
            Assert.Equal(StorageError.Corrupt, error.Error);
            Assert.Contains("only", error.Message, StringComparison.Ordinal);
        }
    }

    private static void Copy(string from, string to)
    {
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = file.Replace(from, to, StringComparison.Ordinal);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }

    private static Task<NvmeTier> Open(string folder) =>
        NvmeTier.OpenAsync(new NvmeTierOptions { Folder = folder, ChunkBytes = Chunk, LimitBytes = 64 << 20 }, NullLogger.Instance, Token);

    private BlobSource Source(string key) => new(key, _storage, key, _storage.LengthOf(key), _storage.ETagOf(key));
}
