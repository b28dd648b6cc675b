using System.Collections.Concurrent;
using Platform.DataPlane;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Nvme.Io;
using Platform.DataPlane.ObjectStorage;
using Platform.UnitTests.ObjectStorage;

namespace Platform.UnitTests.Nvme.Kills;

/// <summary>A device that fails once, at any point of a tier's work, in any way: the caller hears what it was, nothing acknowledged is lost, nothing wrong is served, and afterwards all goes on.</summary>
public sealed class TierDeviceFaultTests : IDisposable
{
    private const int Passings = 4;
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Theory(Timeout = 300_000)]
    [InlineData("EIO")]
    [InlineData("ENOSPC")]
    [InlineData("half")]
    [InlineData("nothing")]
    public async Task Work_DeviceFailsOnce_IsTypedAndAllGoesOn(string fault)
    {
        var points = await PointsAsync();
        foreach (var (point, index) in points.Select((point, index) => (point, index)))
        {
            for (var passing = 1; passing <= Passings; passing++)
            {
                var seed = (index * 100) + passing;
                try
                {
                    await RunAsync(seed, point, (passing * passing) - passing + 1, fault);
                }
                catch (Exception cause) when (cause is not OperationCanceledException)
                {
                    throw new InvalidOperationException($"{fault} at passing {(passing * passing) - passing + 1} of '{point}', seed {seed}: {cause.Message}", cause);
                }
            }
        }
    }

    private async Task RunAsync(int seed, string point, int passing, string fault)
    {
        var folder = _folder[$"{fault}-{point}-{passing}"];
        var left = passing;
        var lines = new ConcurrentQueue<string>();
        var faults = new ConcurrentQueue<StorageException>();
        var time = new ImpatientTime();
        var model = new TierModel(folder);
        var opened = false;
        await using (var tier = await TierWorkload.OpenAsync(folder, at => Fail(opened && at == point && Interlocked.Decrement(ref left) == 0, fault), time))
        {
            opened = true;
            await new TierWorkload(tier, folder, new Random(seed), lines.Enqueue, faults.Enqueue).RunAsync(0);
            model.Take(lines);
            left = int.MaxValue;
            await GoOnAsync(tier, folder);
        }

        Assert.All(faults, failure => Assert.Equal(fault == "ENOSPC" ? StorageError.Full : StorageError.Io, failure.Error));
        Assert.InRange(faults.Count, 0, 3);
        await model.CheckAsync(Token, afterMore: true);
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>With the device well again everything can be had, whole.</summary>
    private static async Task GoOnAsync(NvmeTier tier, string folder)
    {
        var objects = new DirectoryObjectStorage(Path.Combine(folder, "objects"));
        await foreach (var item in objects.ListAsync("obj-", Token))
        {
            BlobLease lease;
            try
            {
                lease = await tier.OpenAsync(new BlobSource(item.Key, objects, item.Key, item.LengthBytes, item.ETag), Token);
            }
            catch (StorageException refused) when (refused.Error == StorageError.Full)
            {
                continue;
            }

            await using (lease)
            {
                await lease.FillAsync(cancellationToken: Token);
                var expected = new byte[item.LengthBytes];
                await objects.ReadAsync(item.Key, 0, expected, item.ETag, Token);
                var bytes = new byte[item.LengthBytes];
                await lease.ReadAsync(0, bytes, Token);
                Assert.Equal(expected, bytes);
                Assert.Equal(expected, await File.ReadAllBytesAsync(lease.FilePath, Token));
            }
        }
    }

    private static void Fail(bool now, string fault)
    {
        if (now)
        {
            throw fault switch
            {
                "EIO" => new IOException("Input/output error", 5),
                "ENOSPC" => new IOException("No space left on device", 28),
                "half" => new PartialTransferException(4096),
                _ => new PartialTransferException(0),
            };
        }
    }

    private async Task<List<string>> PointsAsync()
    {
        var passed = new ConcurrentDictionary<string, byte>(StringComparer.Ordinal);
        var folder = _folder["points"];
        await using var tier = await TierWorkload.OpenAsync(folder, point => passed.TryAdd(point, 0));
        await new TierWorkload(tier, folder, new Random(1), _ => { }).RunAsync(0);
        return [.. passed.Keys.Order(StringComparer.Ordinal)];
    }
}
