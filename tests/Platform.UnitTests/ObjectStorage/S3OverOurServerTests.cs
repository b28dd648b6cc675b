using Platform.DataPlane.ObjectStorage;

namespace Platform.UnitTests.ObjectStorage;

/// <summary>The suite against our own S3 server, which every machine has, and which checks what Ceph does not: checksum headers.</summary>
public sealed class S3OverOurServerTests : ObjectStorageConformance, IAsyncLifetime
{
    private MisbehavingS3Server _server = null!;

    public async ValueTask InitializeAsync() => _server = await MisbehavingS3Server.StartAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    protected override IObjectStorage Open() => new S3ObjectStorage(_server.Options() with { ListPageKeys = 7, PartBytes = 5 << 20 });
}
