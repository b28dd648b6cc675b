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
