using System.Collections.Concurrent;
using Platform.DataPlane;

namespace Platform.UnitTests.Durable;

public sealed class DurableLogTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Append_ThenReopen_GivesTheEntriesInOrder()
    {
        var entries = Enumerable.Range(0, 100).Select(i => Pattern.Bytes(i * 7, i)).ToArray();
        await using (var log = await Open())
        {
            foreach (var entry in entries)
            {
                await log.AppendAsync(entry, Token);
            }

            Assert.Equal(entries, await All(log));
        }

        await using var again = await Open();
        Assert.Equal(entries, await All(again));
        await again.AppendAsync("next"u8.ToArray(), Token);
        Assert.Equal([.. entries, "next"u8.ToArray()], await All(again));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4096 - 64 - 25)]
    [InlineData(4096 - 64 - 24)]
    [InlineData(4096)]
    [InlineData(70_001)]
    [InlineData(1_000_000)]
    public async Task Append_EntryOfAnySize_ComesBackWhole(int length)
    {
        var options = Options() with { PageBytes = 4096, SegmentBytes = 16384 };
        byte[][] entries = [Pattern.Bytes(10), Pattern.Bytes(length), Pattern.Bytes(11), Pattern.Bytes(length, 2)];
        await using (var log = await DurableLog.OpenAsync(options, Token))
        {
            await Task.WhenAll(entries.Select(entry => log.AppendAsync(entry, Token).AsTask()));
        }

        await using var again = await DurableLog.OpenAsync(options, Token);
        Assert.Equal(entries, await All(again));
    }

    [Fact]
    public async Task Append_ManyAtOnce_ShareCommitsAndAllComeBack()
    {
        var commits = 0;
        await using var log = await DurableLog.OpenAsync(Options() with { FaultPoint = point => commits += point == "log.sync" ? 1 : 0 }, Token);
        commits = 0;

        var addresses = await Task.WhenAll(Enumerable.Range(0, 2000).Select(i => Task.Run(() => log.AppendAsync(BitConverter.GetBytes(i), Token).AsTask(), Token)));

        var read = new List<(long Address, byte[] Entry)>();
        await foreach (var item in log.ReadAsync(0, Token))
        {
            read.Add(item);
        }

        Assert.Equal(addresses.Order(), read.Select(item => item.Address));
        Assert.Equal(Enumerable.Range(0, 2000), read.Select(item => BitConverter.ToInt32(item.Entry)).Order());
        Assert.InRange(commits, 1, 1000);
    }

    [Fact]
    public async Task Read_FromAnAddress_StartsThere()
    {
        await using var log = await Open();
        await log.AppendAsync("a"u8.ToArray(), Token);
        var second = await log.AppendAsync("b"u8.ToArray(), Token);

        await foreach (var (address, entry) in log.ReadAsync(second, Token))
        {
            Assert.Equal(second, address);
            Assert.Equal("b"u8.ToArray(), entry);
        }
    }

    [Fact]
    public async Task Read_RightAfterAnAppend_GivesIt()
    {
        await using var log = await Open();
        for (var i = 0; i < 1000; i++)
        {
            // Without a pause: FASTER may not have come round to showing the entry.
            var address = await log.AppendAsync(BitConverter.GetBytes(i), Token);
            using var reader = log.OpenReader(address);

            Assert.True(reader.TryRead(out var found, out var entry));
            Assert.Equal((address, i), (found, BitConverter.ToInt32(entry)));
        }
    }

    [Fact]
    public async Task TruncateUntil_GivesFilesBack_AndKeepsTheRest()
    {
        var options = Options() with { PageBytes = 4096, SegmentBytes = 16384 };
        long middle = 0;
        await using (var log = await DurableLog.OpenAsync(options, Token))
        {
            for (var i = 0; i < 200; i++)
            {
                var address = await log.AppendAsync(Pattern.Bytes(1000, i), Token);
                middle = i == 150 ? address : middle;
            }

            var before = Segments();
            await log.TruncateUntilAsync(middle, Token);

            Assert.InRange(Segments(), 1, before - 8);
            Assert.Equal(50, (await All(log)).Count);
        }

        await using (var again = await DurableLog.OpenAsync(options, Token))
        {
            Assert.Equal(middle, again.BeginAddress);
            Assert.Equal(Enumerable.Range(150, 50).Select(i => Pattern.Bytes(1000, i)), await All(again));
            await again.TruncateUntilAsync(again.TailAddress, Token);
            Assert.Empty(await All(again));
        }

        await using var empty = await DurableLog.OpenAsync(options, Token);
        Assert.Empty(await All(empty));
        await empty.AppendAsync("x"u8.ToArray(), Token);
        Assert.Single(await All(empty));
        Assert.InRange(Segments(), 1, 2);
    }

    [Fact]
    public async Task Open_FolderThatIsOpen_NamesTheHolder()
    {
        await using var log = await Open();

        var error = await Assert.ThrowsAsync<StorageException>(Open);

        Assert.Equal(StorageError.InUse, error.Error);
        Assert.Contains(Environment.ProcessId.ToString(), error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Append_TooLarge_IsRefusedAndTheLogGoesOn()
    {
        await using var log = await DurableLog.OpenAsync(Options() with { MaxEntryBytes = 100 }, Token);

        var error = await Assert.ThrowsAsync<StorageException>(() => log.AppendAsync(new byte[101], Token).AsTask());

        Assert.Equal(StorageError.TooLarge, error.Error);
        await log.AppendAsync(new byte[100], Token);
    }

    [Theory]
    [InlineData("log.write")]
    [InlineData("log.sync")]
    public async Task Append_DiskFull_FailsTypedAndNothingAcknowledgedIsLost(string point)
    {
        var full = false;
        var options = Options() with { FaultPoint = at => ThrowIf(full && at == point) };
        var acknowledged = new ConcurrentBag<int>();
        await using (var log = await DurableLog.OpenAsync(options, Token))
        {
            await AppendNumbers(log, 0, 20, acknowledged);
            full = true;
            var error = await Assert.ThrowsAsync<StorageException>(() => log.AppendAsync(BitConverter.GetBytes(-1), Token).AsTask());
            Assert.Equal(StorageError.Full, error.Error);
            await Assert.ThrowsAsync<StorageException>(() => log.AppendAsync(BitConverter.GetBytes(-1), Token).AsTask());
            full = false;
            await AppendNumbers(log, 20, 20, acknowledged);
        }

        await using var again = await Open();
        Assert.Equal(Enumerable.Range(0, 40), (await All(again)).Select(entry => BitConverter.ToInt32(entry)));
        Assert.Equal(40, acknowledged.Count);
    }

    [Fact]
    public async Task Append_DiskFullWhileAnEntryLargerThanMemoryIsOnItsWay_FailsAndTheLogGoesOn()
    {
        var full = false;
        var options = Options() with { PageBytes = 4096, MemoryPages = 2, SegmentBytes = 16384, FaultPoint = at => ThrowIf(full && at == "log.write") };
        await using var log = await DurableLog.OpenAsync(options, Token);
        await log.AppendAsync(Pattern.Bytes(100_000, 1), Token);
        full = true;

        var failures = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Run(async () => (await Assert.ThrowsAsync<StorageException>(() => log.AppendAsync(Pattern.Bytes(100_000, 2), Token).AsTask())).Error, Token)));

        Assert.All(failures, error => Assert.Equal(StorageError.Full, error));
        full = false;
        await log.AppendAsync(Pattern.Bytes(100_000, 3), Token);
        Assert.Equal([Pattern.Bytes(100_000, 1), Pattern.Bytes(100_000, 3)], await All(log));
    }

    [Fact]
    public async Task Append_OneAfterTheOther_CostsOneSyncEach()
    {
        var synced = new List<string>();
        await using var log = await DurableLog.OpenAsync(Options() with { FaultPoint = point => Note(synced, point) }, Token);
        synced.Clear();

        for (var i = 0; i < 100; i++)
        {
            await log.AppendAsync(Pattern.Bytes(100, i), Token);
        }

        Assert.Equal(Enumerable.Repeat("log.sync", 100), synced);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(300)]
    public async Task Open_AfterACrash_FindsEveryAcknowledgedEntryBehindTheRecord(int count)
    {
        var options = Options() with { PageBytes = 4096, SegmentBytes = 65536 };
        var entries = Enumerable.Range(0, count).Select(i => Pattern.Bytes(i * 7 % 5000, i)).ToArray();
        await using var log = await DurableLog.OpenAsync(options, Token);
        using var crashed = new TempFolder();
        foreach (var entry in entries)
        {
            await log.AppendAsync(entry, Token);
        }

        Copy(crashed);
        await using (var again = await DurableLog.OpenAsync(options with { Folder = crashed.Path }, Token))
        {
            Assert.Equal(entries, await All(again));
            await again.AppendAsync("next"u8.ToArray(), Token);
        }

        await using var third = await DurableLog.OpenAsync(options with { Folder = crashed.Path }, Token);
        Assert.Equal([.. entries, "next"u8.ToArray()], await All(third));
    }

    [Fact]
    public async Task Open_ByteFlippedBehindTheRecordAfterACrash_IsReportedUnlessNothingFollowedIt()
    {
        var entries = Enumerable.Range(0, 40).Select(i => Pattern.Bytes(200, i)).ToArray();
        await using var log = await Open();
        var addresses = new List<long>();
        foreach (var entry in entries)
        {
            addresses.Add(await log.AppendAsync(entry, Token));
        }

        for (var damaged = 0; damaged < 40; damaged += 3)
        {
            using var crashed = new TempFolder();
            Copy(crashed);
            Nvme.NvmeTierTests.Damage(crashed["log.0"], (int)addresses[damaged] + 50);
            await using var again = await DurableLog.OpenAsync(Options() with { Folder = crashed.Path }, Token);
            if (damaged < 39)
            {
                var error = await Assert.ThrowsAsync<StorageException>(() => All(again));
                Assert.Equal(StorageError.Corrupt, error.Error);
                Assert.Contains($"'{crashed["log.0"]}', offset {addresses[damaged]}", error.Message, StringComparison.Ordinal);
            }
            else
            {
                // It may as well be an entry that was being written when the power went.
                Assert.Equal(entries[..39], await All(again));
            }
        }
    }

    [Fact]
    public async Task Open_AfterAFailedCommitAndACrash_GivesNothingOfWhatFailed()
    {
        var fails = false;
        using var crashed = new TempFolder();
        await using var log = await DurableLog.OpenAsync(Options() with { FaultPoint = at => ThrowIf(fails && at == "log.sync") }, Token);
        await log.AppendAsync("first"u8.ToArray(), Token);
        fails = true;
        byte[][] failed = ["second"u8.ToArray(), "third"u8.ToArray()];
        foreach (var append in failed.Select(entry => log.AppendAsync(entry, Token).AsTask()).ToArray())
        {
            await Assert.ThrowsAsync<StorageException>(() => append);
        }

        // The same bytes at the same place: what follows them on disk would fit behind.
        fails = false;
        await log.AppendAsync("second"u8.ToArray(), Token);

        Copy(crashed);
        await using var again = await DurableLog.OpenAsync(Options() with { Folder = crashed.Path }, Token);
        Assert.Equal(["first"u8.ToArray(), "second"u8.ToArray()], await All(again));
    }

    [Theory]
    [InlineData("commit.write")]
    [InlineData("commit.sync")]
    public async Task TruncateUntil_DiskFull_FailsTypedAndTheLogGoesOn(string point)
    {
        var full = false;
        var options = Options() with { FaultPoint = at => ThrowIf(full && at == point) };
        await using (var log = await DurableLog.OpenAsync(options, Token))
        {
            await log.AppendAsync("a"u8.ToArray(), Token);
            var second = await log.AppendAsync("b"u8.ToArray(), Token);
            full = true;

            Assert.Equal(StorageError.Full, (await Assert.ThrowsAsync<StorageException>(() => log.TruncateUntilAsync(second, Token).AsTask())).Error);

            full = false;
            await log.AppendAsync("c"u8.ToArray(), Token);
            await log.TruncateUntilAsync(second, Token);
        }

        await using var again = await Open();
        Assert.Equal(["b"u8.ToArray(), "c"u8.ToArray()], await All(again));
    }

    [Fact]
    public async Task Open_ByteFlippedInASegment_IsReportedWithFileAndOffset()
    {
        var entries = Enumerable.Range(0, 40).Select(i => Pattern.Bytes(200, i)).ToArray();
        var unnoticed = 0;
        await using (var log = await Open())
        {
            foreach (var entry in entries)
            {
                await log.AppendAsync(entry, Token);
            }
        }

        var path = _folder["log.0"];
        var intact = await File.ReadAllBytesAsync(path, Token);
        var used = Array.FindLastIndex(intact, value => value != 0) + 1;
        for (var offset = 64; offset < used; offset += 13)
        {
            var damaged = intact.ToArray();
            damaged[offset] ^= 0x40;
            await File.WriteAllBytesAsync(path, damaged, Token);
            await using var log = await Open();
            try
            {
                // Only what is no content may change unnoticed: the padding between two records, and FasterLog's own checksum, which it does not read in the last page.
                Assert.Equal(entries, await All(log));
                unnoticed++;
            }
            catch (StorageException error)
            {
                Assert.Equal(StorageError.Corrupt, error.Error);
                Assert.Contains(path, error.Message, StringComparison.Ordinal);
            }
        }

        Assert.InRange(unnoticed, 0, 45);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4096)]
    public async Task Open_ASlotOfTheCommitRecordDamaged_StillHasEveryAcknowledgedEntry(int slot)
    {
        var options = Options() with { PageBytes = 4096, SegmentBytes = 16384 };
        var entries = Enumerable.Range(0, 51).Select(i => Pattern.Bytes(i * 97, i)).ToArray();
        for (var offset = 0; offset < 48; offset += 3)
        {
            using var folder = new TempFolder();
            await using (var log = await DurableLog.OpenAsync(options with { Folder = folder.Path }, Token))
            {
                foreach (var entry in entries)
                {
                    await log.AppendAsync(entry, Token);
                }
            }

            Nvme.NvmeTierTests.Damage(folder["commit"], slot + offset);
            await using var again = await DurableLog.OpenAsync(options with { Folder = folder.Path }, Token);
            Assert.Equal(entries, await All(again));
            await again.AppendAsync("more"u8.ToArray(), Token);
            Assert.Equal(52, (await All(again)).Count);
        }
    }

    [Fact]
    public async Task Open_CommitRecordOfAnotherFormat_IsAVersionError()
    {
        await using (await Open())
        {
        }

        var path = _folder["commit"];
        var bytes = await File.ReadAllBytesAsync(path, Token);
        foreach (var slot in new[] { 0, 4096 }.Where(slot => bytes[slot] != 0))
        {
            bytes[slot + 4] = 9;
            BitConverter.TryWriteBytes(bytes.AsSpan(slot + 44), DataPlane.Nvme.Io.Checksum.Crc32C(bytes.AsSpan(slot, 44)));
        }

        await File.WriteAllBytesAsync(path, bytes, Token);

        Assert.Equal(StorageError.Version, (await Assert.ThrowsAsync<StorageException>(Open)).Error);
    }

    [Fact]
    public async Task Open_MissingSegment_IsCorrupt()
    {
        await using (var log = await Open())
        {
            await log.AppendAsync("a"u8.ToArray(), Token);
        }

        File.Delete(_folder["log.0"]);

        Assert.Equal(StorageError.Corrupt, (await Assert.ThrowsAsync<StorageException>(Open)).Error);
    }

    [Fact]
    public async Task Append_ProcessKilledAgainAndAgain_EveryAcknowledgedEntryIsThere()
    {
        var random = new Random(7);
        var acknowledged = new HashSet<int>();
        for (var round = 0; round < 6; round++)
        {
            using var child = ChildProgram.Start(typeof(DurableLogTests), _folder.Path, $"{round * 1_000_000}");
            var wanted = random.Next(1, 400);
            while (await child.StandardOutput.ReadLineAsync(Token) is { } line)
            {
                acknowledged.Add(int.Parse(line));
                if (--wanted == 0)
                {
                    child.Kill();
                }
            }

            await child.WaitForExitAsync(Token);
            await using var log = await Open();
            var found = new List<int>();
            foreach (var entry in await All(log))
            {
                var number = BitConverter.ToInt32(entry);
                Assert.Equal(Entry(number), entry);
                found.Add(number);
            }

            Assert.Empty(acknowledged.Except(found));
            Assert.Equal(found.Count, found.Distinct().Count());
        }
    }

    /// <summary>Appends from eight writers without end and prints each number once it is acknowledged.</summary>
    internal static async Task ChildMain(string[] args)
    {
        await using var log = await DurableLog.OpenAsync(new DurableLogOptions { Folder = args[0], PageBytes = 8192, SegmentBytes = 65536 });
        var next = int.Parse(args[1]);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            while (true)
            {
                var number = Interlocked.Increment(ref next);
                await log.AppendAsync(Entry(number));
                Console.WriteLine(number);
            }
        })));
    }

    internal static void ThrowIf(bool full)
    {
        if (full)
        {
            throw new IOException("No space left on device", 28);
        }
    }

    private static byte[] Entry(int number) => [.. BitConverter.GetBytes(number), .. Pattern.Bytes(number % 30_000 / (number % 10 == 0 ? 1 : 100), number)];

    private static void Note(List<string> synced, string point)
    {
        if (point.EndsWith(".sync", StringComparison.Ordinal))
        {
            synced.Add(point);
        }
    }

    /// <summary>The files as a crash of the process would leave them now.</summary>
    private void Copy(TempFolder target)
    {
        foreach (var path in Directory.GetFiles(_folder.Path).Where(path => Path.GetFileName(path) is var name && (name == "commit" || name.StartsWith("log.", StringComparison.Ordinal))))
        {
            File.Copy(path, target[Path.GetFileName(path)]);
        }
    }

    private static async Task AppendNumbers(DurableLog log, int from, int count, ConcurrentBag<int> acknowledged)
    {
        for (var i = from; i < from + count; i++)
        {
            await log.AppendAsync(BitConverter.GetBytes(i), Token);
            acknowledged.Add(i);
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

    private DurableLogOptions Options() => new() { Folder = _folder.Path };

    private Task<DurableLog> Open() => DurableLog.OpenAsync(Options(), Token);

    private int Segments() => Directory.GetFiles(_folder.Path, "log.*").Length;
}
