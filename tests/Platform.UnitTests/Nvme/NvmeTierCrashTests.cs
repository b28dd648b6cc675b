using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.ObjectStorage;

namespace Platform.UnitTests.Nvme;

/// <summary>Works a tier at random, stops it dead at a chosen step, opens it again and looks at what is there.</summary>
/// <remarks>
/// Every write and sync of tier, catalog and journal passes a named fault point; every step from the point on fails, so that nothing more reaches the disk. What <c>Kills</c> does
/// with real processes this does a hundred times faster, and with callers who see the failure. <c>PLATFORM_CRASH_POINTS</c> multiplies the number of points.
/// </remarks>
public sealed class NvmeTierCrashTests : IDisposable
{
    private const int Chunk = 8192;
    private const int Blobs = 6;
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private static int Scale => int.TryParse(Environment.GetEnvironmentVariable("PLATFORM_CRASH_POINTS"), out var scale) ? scale : 1;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Work_EveryStepFailsFromAPointOn_NothingAcknowledgedIsLostAndNothingWrongIsServed()
    {
        var objects = await Publish();
        for (var point = 0; point < 300 * Scale; point++)
        {
            var random = new Random(point);
            var stopAt = random.Next(1, 90);
            var steps = 0;
            var sealedKeys = new List<string>();
            var endangered = new HashSet<string>(StringComparer.Ordinal);
            var folder = _folder[$"tier-{point % 10}"];
            try
            {
                await using var tier = await Open(folder, _ => Crash(Interlocked.Increment(ref steps) >= stopAt));
                await Work(tier, objects, random, sealedKeys, endangered);
            }
            catch (IOException)
            {
                // The crash, as the caller saw it.
            }

            await Check(folder, objects, sealedKeys, endangered);
        }
    }

    private static async Task<NvmeTier> Open(string folder, Action<string>? faultPoint) => await NvmeTier.OpenAsync(
        new NvmeTierOptions { Folder = folder, ChunkBytes = Chunk, MetadataBytes = 4 << 20, LimitBytes = (4 << 20) + (10 * Chunk), FaultPoint = faultPoint },
        NullLogger.Instance);

    /// <summary>Twenty steps: reads, fills, removals. Notes what is sealed, and before each step that may evict, that everything is in danger.</summary>
    private static async Task Work(NvmeTier tier, IObjectStorage objects, Random random, List<string> sealedKeys, HashSet<string> endangered)
    {
        for (var step = 0; step < 20; step++)
        {
            var key = $"blob-{random.Next(Blobs)}";
            if (random.Next(8) == 0)
            {
                endangered.Add(key);
                await tier.RemoveAsync(key);
                continue;
            }

            if (!(await tier.ListAsync()).Any(blob => blob.Key == key))
            {
                for (var i = 0; i < Blobs; i++)
                {
                    endangered.Add($"blob-{i}");
                }
            }

            var info = (await objects.HeadAsync(key))!;
            await using var lease = await tier.OpenAsync(new BlobSource(key, objects, key, info.LengthBytes, info.ETag));
            var offset = random.Next((int)info.LengthBytes);
            var target = new byte[random.Next((int)info.LengthBytes - offset)];
            await lease.ReadAsync(offset, target);
            if (!target.AsSpan().SequenceEqual(Content(key).AsSpan(offset, target.Length)))
            {
                throw new InvalidOperationException($"wrong bytes of {key}");
            }

            if (random.Next(2) == 0)
            {
                await lease.FillAsync();
                sealedKeys.Add(key);
            }
        }
    }

    private static async Task Check(string folder, IObjectStorage objects, IReadOnlyList<string> sealedKeys, HashSet<string> endangered)
    {
        await using var tier = await Open(folder, null);
        var blobs = await tier.ListAsync(Token);
        Assert.InRange(tier.UsedBytes, 0, tier.LimitBytes);
        Assert.Equal(blobs.Count, Directory.GetFiles(Path.Combine(folder, "blobs")).Length);
        await foreach (var damage in tier.VerifyAsync(Token))
        {
            Assert.Fail(damage);
        }

        foreach (var blob in blobs)
        {
            var info = (await objects.HeadAsync(blob.Key, Token))!;
            await using var lease = await tier.OpenAsync(new BlobSource(blob.Key, objects, blob.Key, info.LengthBytes, info.ETag), Token);
            var bytes = new byte[lease.LengthBytes];
            await lease.ReadAsync(0, bytes, Token);
            Assert.Equal(Content(blob.Key), bytes);
        }

        foreach (var key in sealedKeys.Except(endangered))
        {
            Assert.Contains(blobs, blob => blob.Key == key && blob.Sealed);
        }
    }

    private static void Crash(bool now)
    {
        if (now)
        {
            throw new IOException("the machine has stopped", 5);
        }
    }

    private static byte[] Content(string key) => Pattern.Bytes((Chunk * (key[^1] - '0')) + 1234, key[^1]);

    private async Task<IObjectStorage> Publish()
    {
        var objects = new DirectoryObjectStorage(_folder["objects"]);
        for (var i = 0; i < Blobs; i++)
        {
            await objects.PutAsync($"blob-{i}", Content($"blob-{i}"), cancellationToken: Token);
        }

        return objects;
    }
}
