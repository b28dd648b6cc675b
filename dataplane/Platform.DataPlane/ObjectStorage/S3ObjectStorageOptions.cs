namespace Platform.DataPlane.ObjectStorage;

/// <summary>Settings of an <see cref="S3ObjectStorage"/>. The defaults suit AWS, Ceph, MinIO and other servers with a path-style endpoint.</summary>
public sealed record S3ObjectStorageOptions
{
    /// <summary>The bucket; it must exist.</summary>
    public required string Bucket { get; init; }

    /// <summary>Endpoint, for example <c>http://127.0.0.1:9000</c>; null for AWS in <see cref="Region"/>.</summary>
    public Uri? Endpoint { get; init; }

    /// <summary>Region that requests are signed for. Default <c>us-east-1</c>.</summary>
    public string Region { get; init; } = "us-east-1";

    /// <summary>Access key; null to use what the AWS SDK finds (environment, profile, instance role).</summary>
    public string? AccessKey { get; init; }

    /// <summary>Secret key; needed with <see cref="AccessKey"/>.</summary>
    public string? SecretKey { get; init; }

    /// <summary>Put before every key, for example <c>platform/</c>. Default empty.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>True for <c>endpoint/bucket/key</c>, false for <c>bucket.endpoint/key</c>. Default true.</summary>
    public bool PathStyle { get; init; } = true;

    /// <summary>True to send the CRC32C of every body in a header and to compare what comes with the CRC32C or CRC-64/NVME that the server keeps, if it keeps one. Default true; servers that know no checksums ignore it.</summary>
    public bool Checksums { get; init; } = true;

    /// <summary>True to send bodies in signed chunks. Default false, which every server takes.</summary>
    public bool ChunkEncoding { get; init; }

    /// <summary>Bytes of a part of a multipart upload; objects up to this are put in one request. Default 16 MiB, 5 MiB to 1 GiB. More, where an object has too many parts otherwise.</summary>
    public long PartBytes { get; init; } = 16 << 20;

    /// <summary>Keys that one page of a listing holds. Default 1000, 1 to 1000.</summary>
    public int ListPageKeys { get; init; } = 1000;

    /// <summary>Tries of one request in all, with growing random pauses between. Default 4, at least 1.</summary>
    public int MaxTries { get; init; } = 4;

    /// <summary>Longest silence of the other side, in the middle of a body as well, before a request counts as failed. Default 30 s.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(30);

    internal S3ObjectStorageOptions Validated()
    {
        ArgumentException.ThrowIfNullOrEmpty(Bucket);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxTries, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(PartBytes, S3PartPlan.MinPartBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(PartBytes, 1L << 30);
        ArgumentOutOfRangeException.ThrowIfLessThan(ListPageKeys, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(ListPageKeys, 1000);
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(IdleTimeout, TimeSpan.Zero);
        return this;
    }
}
