using Platform.DataPlane;
using Platform.DataPlane.ObjectStorage;

namespace Platform.UnitTests.ObjectStorage;

/// <summary>What every <see cref="IObjectStorage"/> does. One class per implementation derives from this.</summary>
public abstract class ObjectStorageConformance
{
    protected static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Opens the storage; each test has its own, and opening it again shows the same objects.</summary>
    protected abstract IObjectStorage Open();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(65_537)]
    [InlineData(3_000_000)]
    public async Task Put_ThenRead_GivesTheSameBytes(int length)
    {
        var storage = Open();
        var bytes = Pattern.Bytes(length);

        var etag = await storage.PutAsync("a/b.bin", bytes, cancellationToken: Token);

        var info = await Open().HeadAsync("a/b.bin", Token);
        Assert.Equal(etag, info!.ETag);
        Assert.Equal(length, info.LengthBytes);
        var read = new byte[length];
        await storage.ReadAsync("a/b.bin", 0, read, etag, Token);
        Assert.Equal(bytes, read);
        await using var stream = await storage.OpenReadAsync("a/b.bin", etag, Token);
        using var copy = new MemoryStream();
        await stream.CopyToAsync(copy, Token);
        Assert.Equal(bytes, copy.ToArray());
    }

    [Fact]
    public async Task Put_FromAStreamThatCannotSeek_IsWrittenWhole()
    {
        var storage = Open();
        var bytes = Pattern.Bytes(200_001);

        await storage.PutAsync("s", new OneWayStream(bytes), cancellationToken: Token);

        var read = new byte[bytes.Length];
        await storage.ReadAsync("s", 0, read, cancellationToken: Token);
        Assert.Equal(bytes, read);
    }

    [Fact]
    public async Task Read_Range_GivesExactlyThatRange()
    {
        var storage = Open();
        var bytes = Pattern.Bytes(100_000);
        await storage.PutAsync("k", bytes, cancellationToken: Token);

        var ranges = Enumerable.Range(0, 16).Select(async i =>
        {
            var target = new byte[5001];
            await storage.ReadAsync("k", i * 5003, target, cancellationToken: Token);
            Assert.Equal(bytes.AsSpan(i * 5003, 5001).ToArray(), target);
        });

        await Task.WhenAll(ranges);
    }

    [Fact]
    public async Task Read_BeyondTheEnd_IsTruncated()
    {
        var storage = Open();
        await storage.PutAsync("k", new byte[10], cancellationToken: Token);

        var error = await Assert.ThrowsAsync<StorageException>(() => storage.ReadAsync("k", 8, new byte[3], cancellationToken: Token));

        Assert.Equal(StorageError.Truncated, error.Error);
        Assert.Contains("'k'", error.Message, StringComparison.Ordinal);
        Assert.Equal(StorageError.Truncated, (await Assert.ThrowsAsync<StorageException>(() => storage.ReadAsync("k", 80, new byte[3], cancellationToken: Token))).Error);
    }

    [Fact]
    public async Task Read_MissingObject_IsNotFound()
    {
        var storage = Open();

        Assert.Null(await storage.HeadAsync("none", Token));
        Assert.Equal(StorageError.NotFound, (await Assert.ThrowsAsync<StorageException>(() => storage.ReadAsync("none", 0, new byte[1], cancellationToken: Token))).Error);
        Assert.Equal(StorageError.NotFound, (await Assert.ThrowsAsync<StorageException>(() => storage.OpenReadAsync("none/at/all", cancellationToken: Token))).Error);
    }

    [Fact]
    public async Task Put_SameLengthAgain_ChangesTheETag_AndOldReadersAreTold()
    {
        var storage = Open();
        var first = await storage.PutAsync("k", new byte[] { 1 }, cancellationToken: Token);
        var second = await storage.PutAsync("k", new byte[] { 2 }, cancellationToken: Token);

        Assert.NotEqual(first, second);
        Assert.Equal(StorageError.Changed, (await Assert.ThrowsAsync<StorageException>(() => storage.ReadAsync("k", 0, new byte[1], first, Token))).Error);
        Assert.Equal(StorageError.Changed, (await Assert.ThrowsAsync<StorageException>(() => storage.OpenReadAsync("k", first, Token))).Error);
    }

    [Fact]
    public async Task Put_IfAbsent_OfManyWritersOneWins()
    {
        var storages = Enumerable.Range(0, 8).Select(_ => Open()).ToArray();

        var outcomes = await Task.WhenAll(storages.Select(async (storage, i) =>
        {
            try
            {
                await storage.PutAsync("once", new[] { (byte)i }, PutCondition.IfAbsent, Token);
                return i;
            }
            catch (StorageException error) when (error.Error == StorageError.Changed)
            {
                return -1;
            }
        }));

        var winner = Assert.Single(outcomes, i => i >= 0);
        var read = new byte[1];
        await storages[0].ReadAsync("once", 0, read, cancellationToken: Token);
        Assert.Equal(winner, read[0]);
    }

    [Fact]
    public async Task Put_IfAbsent_ObjectIsThere_ChangesNothing_AndHoldsAgainOnceItIsDeleted()
    {
        var storage = Open();
        var first = await storage.PutAsync("k", new byte[] { 1 }, PutCondition.IfAbsent, Token);

        Assert.Equal(StorageError.Changed, (await Assert.ThrowsAsync<StorageException>(() => storage.PutAsync("k", new byte[] { 2 }, PutCondition.IfAbsent, Token))).Error);
        Assert.Equal(StorageError.Changed, (await Assert.ThrowsAsync<StorageException>(() => storage.PutAsync("k", new OneWayStream([3, 3]), PutCondition.IfAbsent, Token))).Error);
        Assert.Equal(first, (await storage.HeadAsync("k", Token))!.ETag);
        var read = new byte[1];
        await storage.ReadAsync("k", 0, read, first, Token);
        Assert.Equal(1, read[0]);

        await storage.DeleteAsync("k", Token);
        await storage.PutAsync("k", new byte[] { 4 }, PutCondition.IfAbsent, Token);
    }

    [Fact]
    public async Task Put_IfMatch_ObjectIsAbsentOrWasDeleted_IsChangedAndMakesNone()
    {
        var storage = Open();
        var etag = await storage.PutAsync("k", new byte[1], cancellationToken: Token);
        await storage.DeleteAsync("k", Token);

        foreach (var key in new[] { "k", "never" })
        {
            Assert.Equal(StorageError.Changed, (await Assert.ThrowsAsync<StorageException>(() => storage.PutAsync(key, new byte[1], PutCondition.IfMatch(etag), Token))).Error);
            Assert.Null(await storage.HeadAsync(key, Token));
        }
    }

    [Fact]
    public async Task Put_IfMatch_OfManyWritersWithOneETagOneWins_AgainAndAgain()
    {
        var storages = Enumerable.Range(0, 6).Select(_ => Open()).ToArray();
        var etag = await storages[0].PutAsync("k", new byte[] { 255 }, cancellationToken: Token);
        for (var round = 0; round < 5; round++)
        {
            var expected = etag;
            var outcomes = await Task.WhenAll(storages.Select(async (storage, i) =>
            {
                try
                {
                    // A round's content is never another's: S3's ETag is a digest of the content, and who writes what is already there changes no ETag.
                    return (Writer: i, ETag: await storage.PutAsync("k", new[] { (byte)round, (byte)i }, PutCondition.IfMatch(expected), Token));
                }
                catch (StorageException error) when (error.Error == StorageError.Changed)
                {
                    return (Writer: -1, ETag: "");
                }
            }));

            var winner = Assert.Single(outcomes, outcome => outcome.Writer >= 0);
            var read = new byte[2];
            await storages[0].ReadAsync("k", 0, read, winner.ETag, Token);
            Assert.Equal([(byte)round, (byte)winner.Writer], read);
            etag = winner.ETag;
        }
    }

    [Fact]
    public async Task Put_IfMatch_HoldsOnlyForTheCurrentETag()
    {
        var storage = Open();
        Assert.Equal(StorageError.Changed, (await Assert.ThrowsAsync<StorageException>(() => storage.PutAsync("k", new byte[1], PutCondition.IfMatch("0"), Token))).Error);
        var first = await storage.PutAsync("k", new byte[1], cancellationToken: Token);

        var second = await storage.PutAsync("k", new byte[2], PutCondition.IfMatch(first), Token);

        Assert.Equal(StorageError.Changed, (await Assert.ThrowsAsync<StorageException>(() => storage.PutAsync("k", new byte[3], PutCondition.IfMatch(first), Token))).Error);
        Assert.Equal(second, (await storage.HeadAsync("k", Token))!.ETag);
    }

    [Fact]
    public async Task List_ByPrefix_GivesKeysInOrdinalOrder()
    {
        var storage = Open();
        foreach (var key in new[] { "b/2", "a/10", "a/1", "ab", "a/1x/y", "B" })
        {
            await storage.PutAsync(key, new byte[3], cancellationToken: Token);
        }

        Assert.Equal(["B", "a/1", "a/10", "a/1x/y", "ab", "b/2"], (await List(storage, "")).Select(item => item.Key));
        Assert.Equal(["a/1", "a/10", "a/1x/y"], (await List(storage, "a/")).Select(item => item.Key));
        Assert.Equal(["a/1", "a/10", "a/1x/y"], (await List(storage, "a/1")).Select(item => item.Key));
        Assert.Empty(await List(storage, "none/"));
        Assert.Empty(await List(storage, "../"));
        Assert.All(await List(storage, "a/"), item => Assert.Equal(3, item.LengthBytes));
    }

    [Fact]
    public async Task List_MoreThanAPage_GivesEveryKeyOnceAndInOrder()
    {
        var storage = Open();
        var keys = Enumerable.Range(0, 23).Select(i => $"p/{i * 7919 % 100:d2}").ToList();
        await Task.WhenAll(keys.Select(key => storage.PutAsync(key, new byte[1], cancellationToken: Token)));

        Assert.Equal(keys.Order(StringComparer.Ordinal), (await List(storage, "p/")).Select(item => item.Key));
    }

    [Fact]
    public async Task AnyCall_OddKeys_AreKeysLikeOthers()
    {
        var storage = Open();
        string[] keys = ["a=b", "-", ".hidden", "...", "a/..b", "a/.b/c=", "a/b.", "a-/x", "a.d/x", "a_", string.Join('/', Enumerable.Repeat("0123456789abcde", 31)) + "/0123456789abcdef"];
        foreach (var key in keys)
        {
            await storage.PutAsync(key, System.Text.Encoding.UTF8.GetBytes(key), cancellationToken: Token);
        }

        foreach (var key in keys)
        {
            var read = new byte[key.Length];
            await storage.ReadAsync(key, 0, read, cancellationToken: Token);
            Assert.Equal(key, System.Text.Encoding.UTF8.GetString(read));
            Assert.Equal(key.Length, (await storage.HeadAsync(key, Token))!.LengthBytes);
        }

        Assert.Equal(keys.Order(StringComparer.Ordinal), (await List(storage, "")).Select(item => item.Key));
        foreach (var key in keys)
        {
            Assert.True(await storage.DeleteAsync(key, Token));
        }

        Assert.Empty(await List(storage, ""));
    }

    [Fact]
    public async Task Read_NoBytes_StillAsksForTheObject()
    {
        var storage = Open();
        var etag = await storage.PutAsync("k", new byte[3], cancellationToken: Token);

        await storage.ReadAsync("k", 3, Memory<byte>.Empty, etag, Token);

        Assert.Equal(StorageError.Truncated, (await Assert.ThrowsAsync<StorageException>(() => storage.ReadAsync("k", 4, Memory<byte>.Empty, cancellationToken: Token))).Error);
        Assert.Equal(StorageError.Changed, (await Assert.ThrowsAsync<StorageException>(() => storage.ReadAsync("k", 0, Memory<byte>.Empty, "other", Token))).Error);
        Assert.Equal(StorageError.NotFound, (await Assert.ThrowsAsync<StorageException>(() => storage.ReadAsync("none", 0, Memory<byte>.Empty, cancellationToken: Token))).Error);
    }

    [Fact]
    public async Task Put_LargeStreams_ManyAtOnce_AreWrittenWhole()
    {
        var storage = Open();
        var lengths = new[] { (5 << 20) - 1, 5 << 20, (11 << 20) + 17 };

        var etags = await Task.WhenAll(lengths.Select((length, i) => storage.PutAsync($"big-{i}", new OneWayStream(Pattern.Bytes(length)), cancellationToken: Token)));

        for (var i = 0; i < lengths.Length; i++)
        {
            var read = new byte[lengths[i]];
            await Task.WhenAll(Enumerable.Range(0, 4).Select(quarter =>
            {
                var (first, last) = ((long)read.Length * quarter / 4, (long)read.Length * (quarter + 1) / 4);
                return storage.ReadAsync($"big-{i}", first, read.AsMemory((int)first, (int)(last - first)), etags[i], Token);
            }));
            Assert.Equal(Pattern.Bytes(lengths[i]), read);
        }
    }

    [Fact]
    public async Task Upload_GoneOnWithByAnother_BecomesTheObject()
    {
        var bytes = Pattern.Bytes((11 << 20) + 17);
        var (first, second) = (Open().Uploads!, Open().Uploads!);
        var part = (int)first.PartBytes(5 << 20, bytes.Length);
        var id = await first.StartAsync("up/k", Token);
        var tag2 = await first.PutPartAsync("up/k", id, 2, part, bytes.AsMemory(part, part), Token);
        Assert.Null(await Open().HeadAsync("up/k", Token));
        Assert.Empty(await List(Open(), ""));

        // A part may come again: after a fault nobody knows if it arrived.
        await first.PutPartAsync("up/k", id, 1, 0, new byte[part], Token);
        var tag1 = await second.PutPartAsync("up/k", id, 1, 0, bytes.AsMemory(0, part), Token);
        var tag3 = await second.PutPartAsync("up/k", id, 3, 2 * part, bytes.AsMemory(2 * part), Token);
        var etag = await second.CompleteAsync("up/k", id, bytes.Length, [tag1, tag2, tag3], Token);

        Assert.Equal(etag, (await Open().HeadAsync("up/k", Token))!.ETag);
        var read = new byte[bytes.Length];
        await Open().ReadAsync("up/k", 0, read, etag, Token);
        Assert.Equal(bytes, read);
        await first.AbortAsync("up/k", id, Token);
        Assert.Equal(etag, (await Open().HeadAsync("up/k", Token))!.ETag);
    }

    [Fact]
    public async Task Upload_Aborted_IsNotThereAnyMore()
    {
        var uploads = Open().Uploads!;
        var id = await uploads.StartAsync("k", Token);
        var tag = await uploads.PutPartAsync("k", id, 1, 0, new byte[10], Token);

        await uploads.AbortAsync("k", id, Token);

        await uploads.AbortAsync("k", id, Token);
        Assert.Equal(StorageError.NotFound, (await Assert.ThrowsAsync<StorageException>(() => uploads.PutPartAsync("k", id, 1, 0, new byte[10], Token))).Error);
        Assert.Equal(StorageError.NotFound, (await Assert.ThrowsAsync<StorageException>(() => uploads.CompleteAsync("k", id, 10, [tag], Token))).Error);
        Assert.Equal(StorageError.NotFound, (await Assert.ThrowsAsync<StorageException>(() => uploads.CompleteAsync("k", "../x", 10, [tag], Token))).Error);
        Assert.Null(await Open().HeadAsync("k", Token));
    }

    [Fact]
    public async Task Delete_LastObjectBelowAName_FreesTheName()
    {
        var storage = Open();
        await storage.PutAsync("a/b/c", new byte[3], cancellationToken: Token);
        await storage.DeleteAsync("a/b/c", Token);

        await storage.PutAsync("a", new byte[4], cancellationToken: Token);

        Assert.Equal(4, (await storage.HeadAsync("a", Token))!.LengthBytes);
    }

    [Fact]
    public async Task Delete_RemovesTheObject()
    {
        var storage = Open();
        await storage.PutAsync("k", new byte[3], cancellationToken: Token);

        Assert.True(await storage.DeleteAsync("k", Token));

        Assert.Null(await storage.HeadAsync("k", Token));
        await storage.PutAsync("k", new byte[4], PutCondition.IfAbsent, Token);
    }

    [Theory]
    [InlineData("")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a//b")]
    [InlineData("../a")]
    [InlineData("a/../../b")]
    [InlineData("a/./b")]
    [InlineData("a b")]
    [InlineData("a\\b")]
    [InlineData("a\0b")]
    [InlineData(".uploads~/x")]
    public async Task AnyCall_KeyThatIsNone_IsRefused(string key)
    {
        var storage = Open();

        Assert.Equal(StorageError.InvalidKey, (await Assert.ThrowsAsync<StorageException>(() => storage.PutAsync(key, new byte[1], cancellationToken: Token))).Error);
        Assert.Equal(StorageError.InvalidKey, (await Assert.ThrowsAsync<StorageException>(() => storage.ReadAsync(key, 0, new byte[1], cancellationToken: Token))).Error);
        Assert.Equal(StorageError.InvalidKey, (await Assert.ThrowsAsync<StorageException>(() => storage.HeadAsync(key, Token))).Error);
        Assert.Equal(StorageError.InvalidKey, (await Assert.ThrowsAsync<StorageException>(() => storage.DeleteAsync(key, Token))).Error);
    }

    [Fact]
    public async Task Counters_CountWhatWasReallyRead()
    {
        var scope = new ObjectStorageCounters();
        var before = ObjectStorageCounters.Process.BytesRead;
        var storage = new CountingObjectStorage(Open(), scope);
        await storage.PutAsync("k", new byte[1000], cancellationToken: Token);

        await storage.ReadAsync("k", 0, new byte[10], cancellationToken: Token);
        await Assert.ThrowsAsync<StorageException>(() => storage.ReadAsync("k", 0, new byte[2000], cancellationToken: Token));
        await using (var stream = await storage.OpenReadAsync("k", cancellationToken: Token))
        {
            await stream.ReadExactlyAsync(new byte[100], Token);
        }

        Assert.Equal(110, scope.BytesRead);
        Assert.Equal(3, scope.Gets);
        Assert.Equal(1000, scope.BytesWritten);
        Assert.InRange(ObjectStorageCounters.Process.BytesRead - before, 110, long.MaxValue);
    }

    protected static async Task<List<ObjectInfo>> List(IObjectStorage storage, string prefix)
    {
        var items = new List<ObjectInfo>();
        await foreach (var item in storage.ListAsync(prefix, Token))
        {
            items.Add(item);
        }

        return items;
    }

    private sealed class OneWayStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();
    }
}
