namespace Platform.DataPlane.ObjectStorage;

/// <summary>Settings of an <see cref="S3ObjectStorage"/>. The defaults suit Ceph, MinIO and other servers with a path-style endpoint.</summary>
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

    /// <summary>True to send and check the SDK's checksum trailers, which AWS and MinIO take and most others refuse. Default false: then only where an operation demands one.</summary>
    public bool Checksums { get; init; }

    /// <summary>True to send bodies in signed chunks. Default false, which every server takes.</summary>
    public bool ChunkEncoding { get; init; }

    /// <summary>Bytes of a part of a multipart upload; objects up to this are put in one request. Default 16 MiB, 5 MiB to 5 GiB.</summary>
    public long PartBytes { get; init; } = 16 << 20;

    /// <summary>Tries of one request in all, with growing random pauses between. Default 4, at least 1.</summary>
    public int MaxTries { get; init; } = 4;

    /// <summary>Longest wait for the next byte of an answer. Default 30 s.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(30);
}
