using System.Runtime.CompilerServices;
using Amazon.S3.Model;

namespace Platform.DataPlane.ObjectStorage;

/// <summary>Object storage behind the S3 API: AWS, Ceph, MinIO and others.</summary>
/// <remarks>
/// Requests that fail for reasons which may pass (no connection, 5xx, throttling, a body that breaks off or stalls) are tried again with growing random pauses; a read goes on
/// where it broke off, under the same ETag. What stays wrong is a <see cref="StorageException"/>. ETags are the server's, without quotes.
/// </remarks>
public sealed class S3ObjectStorage : IObjectStorage, IDisposable
{
    private readonly S3Connection _connection;

    /// <summary>Makes a client; nothing is sent.</summary>
    public S3ObjectStorage(S3ObjectStorageOptions options, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        _connection = new S3Connection(options.Validated(), time ?? TimeProvider.System);
        Uploads = new S3Uploads(_connection);
    }

    /// <inheritdoc/>
    public string Name => _connection.Name;

    /// <inheritdoc/>
    public IObjectUploads? Uploads { get; }

    /// <inheritdoc/>
    public async Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken = default)
    {
        ObjectKey.ThrowIfInvalid(key);
        try
        {
            var head = await _connection.TryAsync(
                key,
                (_, idle) => _connection.Client.GetObjectMetadataAsync(new GetObjectMetadataRequest { BucketName = _connection.Bucket, Key = _connection.Full(key) }, idle.Token),
                cancellationToken);
            return new ObjectInfo(key, head.ContentLength, S3Connection.Unquoted(head.ETag), At(head.LastModified)) { Checksum = ObjectChecksum.Of(head.ChecksumCRC64NVME, head.ChecksumCRC32C) };
        }
        catch (StorageException cause) when (cause.Error == StorageError.NotFound)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public async Task ReadAsync(string key, long offset, Memory<byte> target, string? ifMatch = null, CancellationToken cancellationToken = default)
    {
        ObjectKey.ThrowIfInvalid(key);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (target.IsEmpty)
        {
            // There is no empty range in HTTP.
            var info = await ExpectAsync(key, ifMatch, cancellationToken);
            if (offset > info.LengthBytes)
            {
                throw new StorageException(StorageError.Truncated, $"Object '{key}' in {Name} has {info.LengthBytes} bytes; a read from {offset} goes beyond its end. Publish it again.");
            }

            return;
        }

        var done = 0;
        await _connection.TryAsync(
            key,
            async (_, idle) =>
            {
                using var answer = await _connection.Client.GetObjectAsync(
                    new GetObjectRequest
                    {
                        BucketName = _connection.Bucket,
                        Key = _connection.Full(key),
                        ByteRange = new ByteRange(offset + done, offset + target.Length - 1),
                        EtagToMatch = ifMatch is null ? null : S3Connection.Quoted(ifMatch),
                    },
                    idle.Token);
                var (etag, wholeBytes) = S3RangeAnswer.Check(answer, $"Object '{key}' in {Name}", offset + done, offset + target.Length - 1, ifMatch);

                // A second try goes on in the same version of the object, whether the caller asked for one or not.
                ifMatch ??= etag.Length > 0 ? etag : null;
                await using var body = answer.ResponseStream;
                while (done < target.Length)
                {
                    idle.Alive();
                    var count = await body.ReadAsync(target[done..], idle.Token);
                    done += count;
                    if (count == 0)
                    {
                        throw new EndOfStreamException($"the answer broke off after {done} of {target.Length} bytes");
                    }
                }

                if (answer.Headers.ContentLength <= 0 && await body.ReadAsync(new byte[1], idle.Token) > 0)
                {
                    done = 0;
                    throw new WrongAnswerException($"more than the {target.Length} bytes came that were asked for");
                }

                if (offset == 0 && target.Length == wholeBytes && ObjectChecksum.Of(answer.ChecksumCRC64NVME, answer.ChecksumCRC32C) is { } expected && Compute(expected, target.Span) is var found && found != expected)
                {
                    done = 0;
                    throw new WrongAnswerException($"checksum {found}, the server keeps {expected}");
                }

                return done;
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<Stream> OpenReadAsync(string key, string? ifMatch = null, CancellationToken cancellationToken = default) =>
        new RangedReadStream(this, await ExpectAsync(key, ifMatch, cancellationToken));

    /// <inheritdoc/>
    public Task<string> PutAsync(string key, Stream content, PutCondition condition = default, CancellationToken cancellationToken = default)
    {
        ObjectKey.ThrowIfInvalid(key);
        ArgumentNullException.ThrowIfNull(content);
        return new S3Upload(_connection, key, condition).WriteAsync(content, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<string> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition = default, CancellationToken cancellationToken = default)
    {
        ObjectKey.ThrowIfInvalid(key);
        return new S3Upload(_connection, key, condition).WriteAsync(content, cancellationToken);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var last = "";
        string? next = null;
        do
        {
            var token = next;
            var page = await _connection.TryAsync(
                prefix,
                (_, idle) => _connection.Client.ListObjectsV2Async(
                    new ListObjectsV2Request { BucketName = _connection.Bucket, Prefix = _connection.Full(prefix), ContinuationToken = token, MaxKeys = _connection.Options.ListPageKeys },
                    idle.Token),
                cancellationToken);

            // The SDK gives null for an empty list.
            foreach (var item in page.S3Objects ?? [])
            {
                var key = item.Key[_connection.Options.Prefix.Length..];
                if (ObjectKey.IsValid(key))
                {
                    yield return new ObjectInfo(key, item.Size ?? 0, S3Connection.Unquoted(item.ETag), At(item.LastModified));
                }

                last = item.Key;
            }

            next = page.IsTruncated == true ? page.NextContinuationToken : null;
            if (page.IsTruncated == true && (next is null || next == token))
            {
                throw new StorageException(StorageError.Unavailable, $"{Name} says that its list of '{prefix}' goes on after '{last}', and not where. Look at the server.");
            }
        }
        while (next is not null);
    }

    /// <inheritdoc/>
    public async Task<bool> DeleteAsync(string key, CancellationToken cancellationToken = default)
    {
        ObjectKey.ThrowIfInvalid(key);
        await _connection.TryAsync(
            key,
            (_, idle) => _connection.Client.DeleteObjectAsync(new DeleteObjectRequest { BucketName = _connection.Bucket, Key = _connection.Full(key) }, idle.Token),
            cancellationToken);
        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => _connection.Dispose();

    private static ObjectChecksum Compute(ObjectChecksum like, ReadOnlySpan<byte> bytes)
    {
        var running = new ObjectChecksum.Running(like.Algorithm);
        running.Append(bytes);
        return running.Current;
    }

    private async Task<ObjectInfo> ExpectAsync(string key, string? ifMatch, CancellationToken cancellationToken)
    {
        var info = await HeadAsync(key, cancellationToken) ?? throw new StorageException(StorageError.NotFound, $"There is no object '{key}' in {Name}. Publish it.");
        return ifMatch is null || ifMatch == info.ETag
            ? info
            : throw new StorageException(StorageError.Changed, $"Object '{key}' in {Name}: found {info.ETag}, expected {ifMatch}. It was written meanwhile; read it again.");
    }

    private static DateTimeOffset At(DateTime? time) => time is { } value ? new DateTimeOffset(value.ToUniversalTime(), TimeSpan.Zero) : DateTimeOffset.UnixEpoch;
}
