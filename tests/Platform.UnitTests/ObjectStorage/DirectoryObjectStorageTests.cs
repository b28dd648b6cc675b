using Platform.DataPlane;
using Platform.DataPlane.ObjectStorage;

namespace Platform.UnitTests.ObjectStorage;

public sealed class DirectoryObjectStorageTests : ObjectStorageConformance, IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    protected override IObjectStorage Open() => new DirectoryObjectStorage(_folder["objects"]);

    [Fact]
    public async Task Put_ReaderGivesUpInTheMiddle_LeavesNoObjectAndNoFile()
    {
        var storage = Open();

        await Assert.ThrowsAsync<StorageException>(() => storage.PutAsync("a/b", new BrokenStream(), cancellationToken: Token));

        Assert.Null(await storage.HeadAsync("a/b", Token));
        Assert.Empty(Directory.GetFiles(_folder["objects/.uploads~"]));
    }

    [Fact]
    public async Task Put_KeyBelowAnObject_IsRefusedWithTheReason()
    {
        var storage = Open();
        await storage.PutAsync("a/b", new byte[1], cancellationToken: Token);

        Assert.Equal(StorageError.InvalidKey, (await Assert.ThrowsAsync<StorageException>(() => storage.PutAsync("a", new byte[1], cancellationToken: Token))).Error);
    }

    [Fact]
    public async Task Put_NameTooLongForADirectory_IsRefusedWithTheReason()
    {
        var error = await Assert.ThrowsAsync<StorageException>(() => Open().PutAsync($"a/{new string('x', 256)}", new byte[1], cancellationToken: Token));

        Assert.Equal(StorageError.InvalidKey, error.Error);
        Assert.Contains("255 characters", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnyCall_KeyBelowAKeyThatIsAnObject_SaysSo()
    {
        var storage = Open();
        await storage.PutAsync("a/b", new byte[1], cancellationToken: Token);

        var put = await Assert.ThrowsAsync<StorageException>(() => storage.PutAsync("a/b/c/d", new byte[1], cancellationToken: Token));
        var read = await Assert.ThrowsAsync<StorageException>(() => storage.ReadAsync("a/b/c/d", 0, new byte[1], cancellationToken: Token));

        Assert.Equal((StorageError.InvalidKey, StorageError.NotFound), (put.Error, read.Error));
        Assert.Contains("'a/b' is an object", put.Message, StringComparison.Ordinal);
        Assert.Null(await storage.HeadAsync("a/b/c", Token));
        Assert.False(await storage.DeleteAsync("a/b/c", Token));
        Assert.Empty(await List(storage, "a/b/"));
    }

    [Fact]
    public async Task Read_NameThatNoFileHas_IsNotFound()
    {
        var storage = Open();
        var tooLong = $"a/{new string('x', 256)}";

        Assert.Equal(StorageError.NotFound, (await Assert.ThrowsAsync<StorageException>(() => storage.ReadAsync(tooLong, 0, new byte[1], cancellationToken: Token))).Error);
        Assert.Null(await storage.HeadAsync(tooLong, Token));
        Assert.False(await storage.DeleteAsync(tooLong, Token));
    }

    [Fact]
    public async Task Read_FileThatCannotBeOpened_IsNoMissingObject()
    {
        var storage = Open();
        File.CreateSymbolicLink(_folder["objects/k"], _folder["objects/k"]);

        Assert.Equal(StorageError.Io, (await Assert.ThrowsAsync<StorageException>(() => storage.ReadAsync("k", 0, new byte[1], cancellationToken: Token))).Error);
    }

    [Fact]
    public async Task PutAndDelete_InOneFolderAtOnce_NeitherIsInTheWayOfTheOther()
    {
        var storage = Open();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(worker => Task.Run(
            async () =>
            {
                for (var i = 0; i < 25; i++)
                {
                    await storage.PutAsync($"a/b/{worker}", new byte[worker + 1], cancellationToken: Token);
                    Assert.True(await storage.DeleteAsync($"a/b/{worker}", Token));
                }
            },
            Token)));

        Assert.Empty(await List(storage, ""));
        Assert.False(Directory.Exists(_folder["objects/a"]));
    }

    [Fact]
    public async Task List_ForeignFiles_AreListedIfTheirNameIsAKey()
    {
        var storage = Open();
        Directory.CreateDirectory(_folder["objects/models/m"]);
        await File.WriteAllTextAsync(_folder["objects/models/m/config.json"], "{}", Token);
        await File.WriteAllTextAsync(_folder["objects/models/m/not a key"], "{}", Token);

        var listed = await List(storage, "models/");

        Assert.Equal(["models/m/config.json"], listed.Select(item => item.Key));
    }

    private sealed class BrokenStream : MemoryStream
    {
        public override Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken)
        {
            destination.Write(new byte[1000]);
            throw new IOException("the other side hung up");
        }
    }
}
