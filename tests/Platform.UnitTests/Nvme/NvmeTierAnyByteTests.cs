using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Tiering;
using Platform.UnitTests.ObjectStorage;

namespace Platform.UnitTests.Nvme;

/// <summary>After mixed work, a byte of any file of the tier's folder goes bad: what is served is right, what is damaged is named with file and offset, and only that is dropped.</summary>
public sealed class NvmeTierAnyByteTests : IDisposable
{
    private const int Chunk = 8192;
    private const int OffsetsPerFile = 12;
    private readonly TempFolder _folder = new();
    private readonly InMemoryObjectStorage _storage = new();
    private readonly Dictionary<string, byte[]> _content = [];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Open_AByteOfAnyFileIsBad_OnlyWhatItBelongsToIsAffectedAndNamed()
    {
        await WorkAsync();
        var files = Directory.GetFiles(_folder["whole"], "*", SearchOption.AllDirectories).Where(file => new FileInfo(file).Length > 0).Order(StringComparer.Ordinal).ToList();
        Assert.Contains(files, file => file.EndsWith("commit", StringComparison.Ordinal));
        Assert.Contains(files, file => Path.GetFileName(file).StartsWith("log.", StringComparison.Ordinal));
        Assert.InRange(files.Count(file => file.EndsWith(".blob", StringComparison.Ordinal)), 7, 7);
        for (var number = 0; number < files.Count; number++)
        {
            // The seed names the file and where in it; half of the offsets lie at the front, where short files have what counts.
            var random = new Random(number);
            var length = new FileInfo(files[number]).Length;
            for (var i = 0; i < OffsetsPerFile; i++)
            {
                var offset = random.NextInt64(i % 2 == 0 ? length : Math.Min(length, 3000));
                var name = Path.GetRelativePath(_folder["whole"], files[number]);
                try
                {
                    await CheckAsync(name, offset);
                }
                catch (Exception cause) when (cause is not OperationCanceledException)
                {
                    throw new InvalidOperationException($"byte {offset} of '{name}' (file {number}, offset {i}): {cause.Message}", cause);
                }
            }
        }
    }

    private async Task CheckAsync(string name, long offset)
    {
        var folder = _folder["damaged"];
        Copy(_folder["whole"], folder);
        NvmeTierTests.Damage(Path.Combine(folder, name), offset);
        await using (var tier = await OpenAsync(folder))
        {
            var isBlob = name.EndsWith(".blob", StringComparison.Ordinal);
            var here = (await tier.ListAsync(Token)).ToDictionary(blob => blob.Key);
            if (isBlob)
            {
                // Bulk bytes: every blob is still known, and exactly one chunk of one is damaged.
                Assert.Equal(_content.Keys.Order(StringComparer.Ordinal), here.Keys.Order(StringComparer.Ordinal));
                await CheckNamedAsync(tier, name, offset);
            }

            foreach (var (key, bytes) in _content)
            {
                await CheckServedAsync(tier, key, bytes, isBlob);
            }
        }

        Directory.Delete(folder, recursive: true);
    }

    /// <summary>The chunk is named with file and offset, and can be fetched again if an object has it.</summary>
    private async Task CheckNamedAsync(NvmeTier tier, string name, long offset)
    {
        var damage = new List<(TierCheck Blob, TierDamage Chunk)>();
        foreach (var key in _content.Keys)
        {
            var check = (await tier.CheckAsync(key, cancellationToken: Token))!;
            damage.AddRange(check.Damage.Select(chunk => (check, chunk)));
        }

        if (damage.Count == 0)
        {
            // A byte behind the landed chunks of a blob that is not whole, where nothing is yet.
            Assert.Contains(await tier.ListAsync(Token), blob => !blob.Sealed);
            return;
        }

        var (found, damaged) = Assert.Single(damage);
        Assert.EndsWith(Path.GetFileName(name), found.FilePath, StringComparison.Ordinal);
        Assert.Equal(offset / Chunk * Chunk, damaged.Offset);
        Assert.Contains($"{damaged.Offset}", damaged.Problem, StringComparison.Ordinal);
        var repaired = Assert.Single((await tier.CheckAsync(found.Key, _storage, Token))!.Damage);
        Assert.Equal(found.Key != "only", repaired.Repaired);
        Assert.Contains(found.Key == "only" ? "lost" : "fetched again", repaired.Outlook, StringComparison.Ordinal);
    }

    /// <summary>What has an object is served right, whatever was damaged; an only copy is served right, or refused, or was set aside for whoever looks for it.</summary>
    private async Task CheckServedAsync(NvmeTier tier, string key, byte[] bytes, bool isBlob)
    {
        var read = new byte[bytes.Length];
        if (key is not ("only" or "copied"))
        {
            await using var lease = await tier.OpenAsync(new BlobSource(key, _storage, key, bytes.Length, _storage.ETagOf(key)), Token);
            await lease.ReadAsync(0, read, Token);
            Assert.True(bytes.AsSpan().SequenceEqual(read), $"wrong bytes of '{key}'");
            return;
        }

        await using var copy = tier.TryOpen(key);
        if (copy is null)
        {
            Assert.False(isBlob, $"'{key}' was dropped although its record is intact");
            Assert.True(key == "copied" || Directory.Exists(_folder["damaged/lost"]), $"'{key}' is neither here nor set aside");
            return;
        }

        try
        {
            await copy.ReadAsync(0, read, Token);
            Assert.True(bytes.AsSpan().SequenceEqual(read), $"wrong bytes of '{key}'");
        }
        catch (StorageException error)
        {
            Assert.Equal(StorageError.Corrupt, error.Error);
            Assert.Contains(copy.Key, error.Message, StringComparison.Ordinal);
        }
    }

    /// <summary>Whole blobs, one that is half here, an only copy, one that was uploaded, and the remains of others in the catalog.</summary>
    private async Task WorkAsync()
    {
        await using var tier = await OpenAsync(_folder["whole"]);
        for (var i = 0; i < 4; i++)
        {
            await FillAsync(tier, $"b{i}", Pattern.Bytes((i * Chunk) + 777, i));
        }

        await FillAsync(tier, "gone", Pattern.Bytes(3 * Chunk, 50));
        await tier.RemoveAsync("gone", Token);
        _content.Remove("gone");
        await tier.PutAsync("copied", TierClass.Checkpoints, new MemoryStream(Keep("copied", Pattern.Bytes(Chunk + 5, 8))), Chunk + 5, Token);
        tier.StartUploads(_storage, key => key);
        await tier.WhenUploadedAsync(Token);
        await tier.DisposeAsync();

        await using var again = await OpenAsync(_folder["whole"]);
        await again.PutAsync("only", TierClass.Checkpoints, new MemoryStream(Keep("only", Pattern.Bytes(2 * Chunk, 9))), 2 * Chunk, Token);
        await again.PinAsync("b1", Token);
        _storage.With("half", Keep("half", Pattern.Bytes(4 * Chunk, 7)));
        await using var half = await again.OpenAsync(new BlobSource("half", _storage, "half", 4 * Chunk, _storage.ETagOf("half")), Token);
        await half.ReadAsync(0, new byte[2 * Chunk], Token);
    }

    private async Task FillAsync(NvmeTier tier, string key, byte[] bytes)
    {
        _storage.With(key, Keep(key, bytes));
        await using var lease = await tier.OpenAsync(new BlobSource(key, _storage, key, bytes.Length, _storage.ETagOf(key)), Token);
        await lease.FillAsync(cancellationToken: Token);
    }

    private byte[] Keep(string key, byte[] bytes) => _content[key] = bytes;

    private static void Copy(string from, string to)
    {
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }

    private static Task<NvmeTier> OpenAsync(string folder) =>
        NvmeTier.OpenAsync(new NvmeTierOptions { Folder = folder, ChunkBytes = Chunk, LimitBytes = 64 << 20 }, NullLogger.Instance, Token);
}
