using Platform.DataPlane;

namespace Platform.UnitTests.Durable;

/// <summary>The power goes while a group of entries is on its way to the disk: any of its sectors may be there, and any may be missing.</summary>
public sealed class DurableLogTornWriteTests : IDisposable
{
    private const int SectorBytes = 512;
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Open_AnySectorsOfTheLastWriteAreMissing_GivesWhatWasAcknowledgedAndABeginningOfTheRest()
    {
        var acknowledged = Enumerable.Range(0, 20).Select(i => Pattern.Bytes(i * 37, i)).ToArray();
        var unacknowledged = Enumerable.Range(0, 30).Select(i => Pattern.Bytes(i % 7 == 6 ? 9000 : i * 53 % 700, 100 + i)).ToArray();
        using var before = new TempFolder();
        using var after = new TempFolder();
        await FillAsync(acknowledged, unacknowledged, before, after);
        byte[][] all = [.. acknowledged, .. unacknowledged];
        var segment = (Before: await File.ReadAllBytesAsync(before["log.0"], Token), After: await File.ReadAllBytesAsync(after["log.0"], Token));
        var found = new HashSet<int>();
        for (var seed = 0; seed < 60; seed++)
        {
            using var torn = new TempFolder();
            File.Copy(after["commit"], torn["commit"]);
            await File.WriteAllBytesAsync(torn["log.0"], Tear(segment.Before, segment.After, new Random(seed)), Token);

            // Twice: the first opening goes on behind what it found, over what is left of the torn write.
            List<byte[]> entries;
            await using (var log = await DurableLog.OpenAsync(Options(torn), Token))
            {
                entries = await All(log);
                await log.AppendAsync("next"u8.ToArray(), Token);
            }

            Assert.InRange(entries.Count, acknowledged.Length, all.Length);
            Assert.Equal(all[..entries.Count], entries);
            found.Add(entries.Count);
            await using var again = await DurableLog.OpenAsync(Options(torn), Token);
            Assert.Equal([.. entries, "next"u8.ToArray()], await All(again));
        }

        // The tears were of many kinds.
        Assert.InRange(found.Count, 5, int.MaxValue);
    }

    /// <summary>Fills a log, and copies its files before and after the last write, which is not yet synced then.</summary>
    private async Task FillAsync(byte[][] acknowledged, byte[][] unacknowledged, TempFolder before, TempFolder after)
    {
        using var written = new SemaphoreSlim(0);
        using var mayGoOn = new SemaphoreSlim(0);
        var holds = false;
        void Hold(string point)
        {
            if (Volatile.Read(ref holds) && point == "log.sync")
            {
                written.Release();
                mayGoOn.Wait();
            }
        }

        await using var log = await DurableLog.OpenAsync(Options(_folder) with { FaultPoint = Hold }, Token);
        foreach (var entry in acknowledged[..^1])
        {
            await log.AppendAsync(entry, Token);
        }

        // While this one's commit is held up, the others gather for the next.
        Volatile.Write(ref holds, true);
        var appends = new List<Task> { log.AppendAsync(acknowledged[^1], Token).AsTask() };
        await written.WaitAsync(Token);
        Copy(before);
        appends.AddRange(unacknowledged.Select(entry => log.AppendAsync(entry, Token).AsTask()));
        mayGoOn.Release();
        await written.WaitAsync(Token);
        Copy(after);

        Assert.True(appends[0].IsCompletedSuccessfully);
        Assert.DoesNotContain(appends[1..], append => append.IsCompleted);
        Volatile.Write(ref holds, false);
        mayGoOn.Release();
        await Task.WhenAll(appends);
    }

    private static byte[] Tear(byte[] before, byte[] after, Random random)
    {
        var torn = after.ToArray();
        var missing = random.NextDouble();
        for (var at = 0; at < torn.Length; at += SectorBytes)
        {
            if (random.NextDouble() < missing * missing)
            {
                var sector = torn.AsSpan(at, Math.Min(SectorBytes, torn.Length - at));
                sector.Clear();
                before.AsSpan(Math.Min(at, before.Length), Math.Min(sector.Length, Math.Max(0, before.Length - at))).CopyTo(sector);
            }
        }

        return torn;
    }

    private void Copy(TempFolder target)
    {
        foreach (var name in new[] { "commit", "log.0" })
        {
            File.Copy(_folder[name], target[name]);
        }
    }

    private static async Task<List<byte[]>> All(DurableLog log)
    {
        var entries = new List<byte[]>();
        await foreach (var (_, entry) in log.ReadAsync(0, Token))
        {
            entries.Add(entry);
        }

        return entries;
    }

    private static DurableLogOptions Options(TempFolder folder) => new() { Folder = folder.Path, PageBytes = 16384, SegmentBytes = 1 << 20 };
}
