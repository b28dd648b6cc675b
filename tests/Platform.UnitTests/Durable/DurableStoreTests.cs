using System.Text;
using Platform.DataPlane;

namespace Platform.UnitTests.Durable;

public sealed class DurableStoreTests : IDisposable
{
    private readonly TempFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Commit_ThenReopen_GivesTheValues()
    {
        await using (var store = await Open())
        {
            await store.CommitAsync([new("a/1", Pattern.Bytes(10)), new("a/2", []), new("b", Pattern.Bytes(3))], Token);
            await store.CommitAsync([new("a/1", null), new("a/3", Pattern.Bytes(100_000))], Token);
            Assert.False(store.TryGet("a/1", out _));
            Assert.Equal(["a/2", "a/3"], store.Keys("a/"));
        }

        await using var again = await Open();
        Assert.Equal(["a/2", "a/3", "b"], again.Keys(""));
        Assert.True(again.TryGet("a/3", out var value));
        Assert.Equal(Pattern.Bytes(100_000), value);
        Assert.True(again.TryGet("a/2", out var empty));
        Assert.Empty(empty);
        Assert.False(again.TryGet("a/1", out _));
    }

    [Fact]
    public async Task Open_DeviceCannotReadOnce_SaysSo_AndTakesNothingForDamaged()
    {
        await using (var store = await Open())
        {
            for (var i = 0; i < 30; i++)
            {
                await store.CommitAsync([new($"k{i}", Pattern.Bytes(50_000, i))], Token);
            }
        }

        var failures = 0;
        for (var failing = 1; ; failing++)
        {
            var reads = 0;
            try
            {
                await using var store = await DurableStore.OpenAsync(new DurableStoreOptions { Folder = _folder.Path, FaultPoint = at => DurableLogTests.ThrowIf(at == "log.read" && Interlocked.Increment(ref reads) == failing) }, Token);
                Assert.True(reads < failing, $"read {failing} failed, and nobody heard of it");
                Assert.Equal(30, store.Count);
                break;
            }
            catch (StorageException error)
            {
                failures++;
                Assert.NotEqual(StorageError.Corrupt, error.Error);
                Assert.Contains(_folder.Path, error.Message, StringComparison.Ordinal);
            }
        }

        Assert.InRange(failures, 10, 1000);
    }

    [Fact]
    public async Task Commit_SameKeyTwice_TheLaterCounts()
    {
        await using var store = await Open();

        await store.CommitAsync([new("k", [1]), new("k", null), new("k", [2])], Token);

        Assert.True(store.TryGet("k", out var value));
        Assert.Equal([2], value);
    }

    [Fact]
    public async Task Commit_HistoryMuchLongerThanContent_IsCompactedAwayWithoutLoss()
    {
        await using (var store = await Open())
        {
            for (var i = 0; i < 400; i++)
            {
                await store.CommitAsync([new($"k{i % 10}", Pattern.Bytes(20_000, i)), new($"once{i}", [1])], Token);
                await store.CommitAsync([new($"once{i}", null)], Token);
            }
        }

        Assert.InRange(Directory.GetFiles(_folder.Path, "log.*").Sum(file => new FileInfo(file).Length), 0, 5 * 1024 * 1024);
        await using var again = await Open();
        Assert.Equal(Enumerable.Range(0, 10).Select(i => $"k{i}"), again.Keys(""));
        for (var i = 390; i < 400; i++)
        {
            Assert.True(again.TryGet($"k{i % 10}", out var value));
            Assert.Equal(Pattern.Bytes(20_000, i), value);
        }
    }

    [Fact]
    public async Task Commit_RandomHistoriesWithReopens_EqualADictionary()
    {
        var random = new Random(11);
        var model = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        var options = new DurableStoreOptions { Folder = _folder.Path, CompactionFloorBytes = 4096 };
        for (var life = 0; life < 12; life++)
        {
            await using var store = await DurableStore.OpenAsync(options, Token);
            Assert.Equal(model.Keys.Order(StringComparer.Ordinal), store.Keys(""));
            Assert.All(model, pair => Assert.True(store.TryGet(pair.Key, out var value) && value.SequenceEqual(pair.Value)));
            for (var commit = 0; commit < 60; commit++)
            {
                var writes = Enumerable.Range(0, random.Next(1, 5))
                    .Select(_ => new DurableWrite($"key{random.Next(12)}", random.Next(3) == 0 ? null : Pattern.Bytes(random.Next(2000), random.Next())))
                    .ToList();
                await store.CommitAsync(writes, Token);
                foreach (var write in writes)
                {
                    if (write.Value is null)
                    {
                        model.Remove(write.Key);
                    }
                    else
                    {
                        model[write.Key] = write.Value;
                    }
                }
            }
        }
    }

    [Fact]
    public async Task Commit_OverTheLimit_IsRefusedAndDeletesStillPass()
    {
        await using var store = await DurableStore.OpenAsync(new DurableStoreOptions { Folder = _folder.Path, LimitBytes = 10_000 }, Token);
        await store.CommitAsync([new("a", new byte[8000])], Token);

        var error = await Assert.ThrowsAsync<StorageException>(() => store.CommitAsync([new("b", new byte[4000])], Token).AsTask());

        Assert.Equal(StorageError.Full, error.Error);
        await store.CommitAsync([new("a", null)], Token);
        await store.CommitAsync([new("b", new byte[4000])], Token);
    }

    [Fact]
    public async Task Commit_DiskFull_FailsTypedAndLaterCommitsSucceed()
    {
        var full = false;
        await using (var store = await DurableStore.OpenAsync(new DurableStoreOptions { Folder = _folder.Path, FaultPoint = _ => DurableLogTests.ThrowIf(full) }, Token))
        {
            await store.CommitAsync([new("a", [1])], Token);
            full = true;
            Assert.Equal(StorageError.Full, (await Assert.ThrowsAsync<StorageException>(() => store.CommitAsync([new("a", [2])], Token).AsTask())).Error);
            Assert.True(store.TryGet("a", out var kept) && kept is [1]);
            full = false;
            await store.CommitAsync([new("b", [3])], Token);
        }

        await using var again = await Open();
        Assert.True(again.TryGet("a", out var a) && a is [1]);
        Assert.True(again.TryGet("b", out var b) && b is [3]);
    }

    [Fact]
    public async Task Commit_ProcessKilledAgainAndAgain_CommitsAreWholeAndNoneIsLost()
    {
        var random = new Random(5);
        var acknowledged = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var round = 0; round < 6; round++)
        {
            using var child = ChildProgram.Start(typeof(DurableStoreTests), _folder.Path, $"{round}");
            var wanted = random.Next(1, 500);
            while (await child.StandardOutput.ReadLineAsync(Token) is { } line)
            {
                var parts = line.Split(' ');
                acknowledged[parts[0]] = int.Parse(parts[1]);
                if (--wanted == 0)
                {
                    child.Kill();
                }
            }

            await child.WaitForExitAsync(Token);
            await using var store = await DurableStore.OpenAsync(new DurableStoreOptions { Folder = _folder.Path, CompactionFloorBytes = 65536 }, Token);
            foreach (var (name, version) in acknowledged)
            {
                Assert.True(store.TryGet($"{name}/left", out var left));
                Assert.True(store.TryGet($"{name}/right", out var right));
                Assert.Equal(left, right);
                Assert.InRange(int.Parse(Encoding.UTF8.GetString(left).Split(' ')[0]), version, int.MaxValue);
            }
        }
    }

    /// <summary>Four writers, each of which keeps two keys equal, and prints each version once it is acknowledged.</summary>
    internal static async Task ChildMain(string[] args)
    {
        await using var store = await DurableStore.OpenAsync(new DurableStoreOptions { Folder = args[0], CompactionFloorBytes = 65536 });
        await Task.WhenAll(Enumerable.Range(0, 4).Select(writer => Task.Run(async () =>
        {
            for (var version = int.Parse(args[1]) * 1_000_000; ; version++)
            {
                var value = Encoding.UTF8.GetBytes($"{version} {new string('x', version % 5000)}");
                await store.CommitAsync([new($"w{writer}/left", value), new($"w{writer}/right", value)]);
                Console.WriteLine($"w{writer} {version}");
            }
        })));
    }

    private Task<DurableStore> Open() => DurableStore.OpenAsync(new DurableStoreOptions { Folder = _folder.Path }, Token);
}
