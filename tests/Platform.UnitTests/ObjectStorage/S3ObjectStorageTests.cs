using Platform.DataPlane;
using Platform.DataPlane.ObjectStorage;

namespace Platform.UnitTests.ObjectStorage;

/// <summary>The suite against Ceph's S3 gateway. Skipped with the reason where Ceph is not installed.</summary>
[Trait("needs", "ceph")]
public sealed class S3ObjectStorageTests(CephFixture ceph) : ObjectStorageConformance, IClassFixture<CephFixture>
{
    private readonly string _prefix = $"{Guid.NewGuid():n}/";

    [Fact]
    public async Task Put_LargerThanAPart_IsUploadedInParts()
    {
        using var storage = new S3ObjectStorage(Ceph().Options() with { Prefix = _prefix, PartBytes = 5 << 20 });
        var bytes = Pattern.Bytes((12 << 20) + 17);

        var etag = await storage.PutAsync("big", new MemoryStream(bytes), cancellationToken: Token);

        Assert.Contains("-3", etag, StringComparison.Ordinal);
        var read = new byte[bytes.Length];
        await storage.ReadAsync("big", 0, read, etag, Token);
        Assert.Equal(bytes, read);
    }

    [Fact]
    public async Task AnyCall_WrongSecret_SaysToCheckTheKeys()
    {
        using var storage = new S3ObjectStorage(Ceph().Options() with { SecretKey = "wrong" });

        var error = await Assert.ThrowsAsync<StorageException>(() => storage.PutAsync("k", new byte[1], cancellationToken: Token));

        Assert.Equal(StorageError.Unavailable, error.Error);
        Assert.Contains("secret key", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnyCall_NobodyListens_IsUnavailableAfterAllTries()
    {
        using var storage = new S3ObjectStorage(new S3ObjectStorageOptions { Bucket = "b", Endpoint = new Uri("http://127.0.0.1:9"), AccessKey = "a", SecretKey = "b", MaxTries = 2 });

        var error = await Assert.ThrowsAsync<StorageException>(() => storage.HeadAsync("k", Token));

        Assert.Equal(StorageError.Unavailable, error.Error);
        Assert.Contains("2 tries", error.Message, StringComparison.Ordinal);
    }

    protected override IObjectStorage Open() => Ceph().Open(_prefix);

    private CephFixture Ceph()
    {
        Assert.SkipUnless(ceph.Missing is null, ceph.Missing ?? "");
        return ceph;
    }
}
