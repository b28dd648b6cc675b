using System.Buffers;
using System.Net;
using System.Runtime.CompilerServices;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace Platform.DataPlane.ObjectStorage;

/// <summary>Object storage behind the S3 API: AWS, Ceph, MinIO and others.</summary>
/// <remarks>
/// Requests that fail for reasons which may pass (no connection, 5xx, throttling, a body that breaks off) are tried again with growing random pauses; a read goes on
/// where it broke off, under the same ETag. What stays wrong is a <see cref="StorageException"/>. ETags are the server's, without quotes.
/// </remarks>
public sealed class S3ObjectStorage : IObjectStorage, IDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);

    private readonly S3ObjectStorageOptions _options;
    private readonly AmazonS3Client _client;
    private readonly TimeProvider _time;

    /// <summary>Makes a client; nothing is sent.</summary>
    public S3ObjectStorage(S3ObjectStorageOptions options, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentException.ThrowIfNullOrEmpty(options.Bucket, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.MaxTries, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.PartBytes, 5L << 20, nameof(options));
        _options = options;
        _time = time ?? TimeProvider.System;
        var config = new AmazonS3Config
        {
            ForcePathStyle = options.PathStyle,
            AuthenticationRegion = options.Region,
            RequestChecksumCalculation = options.Checksums ? RequestChecksumCalculation.WHEN_SUPPORTED : RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = options.Checksums ? ResponseChecksumValidation.WHEN_SUPPORTED : ResponseChecksumValidation.WHEN_REQUIRED,

            // Ours to do: the SDK would not go on in the middle of a body, and would not tell how often it tried.
            MaxErrorRetry = 0,
            ThrottleRetries = false,
        };
        if (options.Endpoint is null)
        {
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(options.Region);
        }
        else
        {
            config.ServiceURL = options.Endpoint.ToString();
        }

        _client = options.AccessKey is null ? new AmazonS3Client(config) : new AmazonS3Client(new BasicAWSCredentials(options.AccessKey, options.SecretKey), config);
    }

    /// <inheritdoc/>
    public string Name => $"{_options.Endpoint?.ToString() ?? "s3://"}{_options.Bucket}/{_options.Prefix}";

    /// <inheritdoc/>
    public async Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken = default)
    {
        ObjectKey.ThrowIfInvalid(key);
        try
        {
            var head = await TryAsync(key, token => _client.GetObjectMetadataAsync(new GetObjectMetadataRequest { BucketName = _options.Bucket, Key = Full(key) }, token), cancellationToken);
            return new ObjectInfo(key, head.ContentLength, Unquoted(head.ETag), At(head.LastModified));
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
            return;
        }

        var done = 0;
        await TryAsync(
            key,
            async token =>
            {
                using var answer = await _client.GetObjectAsync(
                    new GetObjectRequest
                    {
                        BucketName = _options.Bucket,
                        Key = Full(key),
                        ByteRange = new ByteRange(offset + done, offset + target.Length - 1),
                        EtagToMatch = ifMatch is null ? null : Quoted(ifMatch),
                    },
                    token);

                // A second try goes on in the same version of the object, whether the caller asked for one or not.
                ifMatch ??= Unquoted(answer.ETag);
                if (answer.ContentLength != target.Length - done)
                {
                    throw new StorageException(
                        StorageError.Truncated,
                        $"Object '{key}' in {Name}: {answer.ContentLength} bytes came for a read of {target.Length - done} from {offset + done}. It ends before the range does; publish it again.");
                }

                while (done < target.Length)
                {
                    var count = await answer.ResponseStream.ReadAsync(target[done..], token);
                    done += count;
                    if (count == 0)
                    {
                        throw new EndOfStreamException($"the answer broke off after {done} of {target.Length} bytes");
                    }
                }

                return done;
            },
            cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<Stream> OpenReadAsync(string key, string? ifMatch = null, CancellationToken cancellationToken = default)
    {
        ObjectKey.ThrowIfInvalid(key);
        var info = await HeadAsync(key, cancellationToken)
            ?? throw new StorageException(StorageError.NotFound, $"There is no object '{key}' in {Name}. Publish it.");
        if (ifMatch is not null && ifMatch != info.ETag)
        {
            throw new StorageException(StorageError.Changed, $"Object '{key}' in {Name}: found {info.ETag}, expected {ifMatch}. It was written meanwhile; read it again.");
        }

        return new RangedReadStream(this, info);
    }

    /// <inheritdoc/>
    public async Task<string> PutAsync(string key, Stream content, PutCondition condition = default, CancellationToken cancellationToken = default)
    {
        ObjectKey.ThrowIfInvalid(key);
        var buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(_options.PartBytes, 1 << 30));
        try
        {
            var part = buffer.AsMemory(0, (int)Math.Min(_options.PartBytes, buffer.Length));
            var count = await content.ReadAtLeastAsync(part, part.Length, throwOnEndOfStream: false, cancellationToken);
            return count < part.Length
                ? await PutAsync(key, part[..count], condition, cancellationToken)
                : await PutPartsAsync(key, part, content, condition, cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <inheritdoc/>
    public async Task<string> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition = default, CancellationToken cancellationToken = default)
    {
        ObjectKey.ThrowIfInvalid(key);
        var answer = await TryAsync(
            key,
            token => _client.PutObjectAsync(
                new PutObjectRequest
                {
                    BucketName = _options.Bucket,
                    Key = Full(key),
                    InputStream = new MemoryReadStream(content),
                    UseChunkEncoding = _options.ChunkEncoding,
                    IfNoneMatch = condition.MustBeAbsent ? "*" : null,
                    IfMatch = condition.MustMatch,
                },
                token),
            cancellationToken);
        return Unquoted(answer.ETag);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        string? next = null;
        do
        {
            var page = await TryAsync(
                prefix,
                token => _client.ListObjectsV2Async(new ListObjectsV2Request { BucketName = _options.Bucket, Prefix = _options.Prefix + prefix, ContinuationToken = next }, token),
                cancellationToken);

            // The SDK gives null for an empty list.
            foreach (var item in page.S3Objects ?? [])
            {
                var key = item.Key[_options.Prefix.Length..];
                if (ObjectKey.IsValid(key))
                {
                    yield return new ObjectInfo(key, item.Size ?? 0, Unquoted(item.ETag), At(item.LastModified));
                }
            }

            next = page.IsTruncated == true ? page.NextContinuationToken : null;
        }
        while (next is not null);
    }

    /// <inheritdoc/>
    public async Task<bool> DeleteAsync(string key, CancellationToken cancellationToken = default)
    {
        ObjectKey.ThrowIfInvalid(key);
        await TryAsync(key, token => _client.DeleteObjectAsync(new DeleteObjectRequest { BucketName = _options.Bucket, Key = Full(key) }, token), cancellationToken);
        return true;
    }

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    /// <summary>Uploads in parts, the first of which is in <paramref name="part"/> already. An upload that fails is aborted, so that its parts do not stay and cost.</summary>
    private async Task<string> PutPartsAsync(string key, Memory<byte> part, Stream content, PutCondition condition, CancellationToken cancellationToken)
    {
        var upload = await TryAsync(key, token => _client.InitiateMultipartUploadAsync(new InitiateMultipartUploadRequest { BucketName = _options.Bucket, Key = Full(key) }, token), cancellationToken);
        try
        {
            var parts = new List<PartETag>();
            for (var count = part.Length; count > 0; count = await content.ReadAtLeastAsync(part, part.Length, throwOnEndOfStream: false, cancellationToken))
            {
                var bytes = part[..count];
                var number = parts.Count + 1;
                var answer = await TryAsync(
                    key,
                    token => _client.UploadPartAsync(
                        new UploadPartRequest
                        {
                            BucketName = _options.Bucket,
                            Key = Full(key),
                            UploadId = upload.UploadId,
                            PartNumber = number,
                            PartSize = bytes.Length,
                            InputStream = new MemoryReadStream(bytes),
                            UseChunkEncoding = _options.ChunkEncoding,
                        },
                        token),
                    cancellationToken);
                parts.Add(new PartETag(number, answer.ETag));
            }

            await TryAsync(
                key,
                token => _client.CompleteMultipartUploadAsync(
                    new CompleteMultipartUploadRequest
                    {
                        BucketName = _options.Bucket,
                        Key = Full(key),
                        UploadId = upload.UploadId,
                        PartETags = parts,
                        IfNoneMatch = condition.MustBeAbsent ? "*" : null,
                        IfMatch = condition.MustMatch,
                    },
                    token),
                cancellationToken);
        }
        catch
        {
            await _client.AbortMultipartUploadAsync(new AbortMultipartUploadRequest { BucketName = _options.Bucket, Key = Full(key), UploadId = upload.UploadId }, CancellationToken.None);
            throw;
        }

        // Ceph 16 leaves the ETag out of the answer to the completion.
        return (await HeadAsync(key, cancellationToken))?.ETag
            ?? throw new StorageException(StorageError.NotFound, $"Object '{key}' in {Name} is gone right after it was written: somebody deleted it.");
    }

    private async Task<T> TryAsync<T>(string key, Func<CancellationToken, Task<T>> request, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                patience.CancelAfter(_options.IdleTimeout);
                return await request(patience.Token);
            }
            catch (Exception cause) when (!cancellationToken.IsCancellationRequested && MayPass(cause) && attempt < _options.MaxTries)
            {
                // Twice as long each time, and random, so that clients who failed together do not come back together.
                await Task.Delay(FirstPause * (1 << (attempt - 1)) * (0.5 + Random.Shared.NextDouble()), _time, cancellationToken);
            }
            catch (Exception cause) when (cause is not StorageException && !cancellationToken.IsCancellationRequested)
            {
                throw Translate(key, cause, attempt);
            }
        }
    }

    private static bool MayPass(Exception cause) => cause switch
    {
        AmazonServiceException { StatusCode: HttpStatusCode.TooManyRequests } => true,

        // S3 explains every refusal in a body. Without one, an HTTP parser refused: of a server or proxy that answered an earlier request before it had read its body, and is out of step on this connection.
        AmazonServiceException { StatusCode: HttpStatusCode.BadRequest, ErrorCode: null or "" or nameof(HttpStatusCode.BadRequest) } => true,
        AmazonServiceException service => (int)service.StatusCode is 0 or >= 500 and not 501,
        HttpRequestException or IOException or OperationCanceledException => cause is not StorageException,
        AmazonClientException => true,
        _ => false,
    };

    private StorageException Translate(string key, Exception cause, int tries)
    {
        if (cause is AmazonServiceException service)
        {
            switch (service.StatusCode)
            {
                case HttpStatusCode.NotFound:
                    return new(StorageError.NotFound, $"There is no object '{key}' in {Name} ({service.ErrorCode}). Publish it, or check the bucket.", cause);
                case HttpStatusCode.PreconditionFailed or HttpStatusCode.Conflict or HttpStatusCode.NotModified:
                    return new(StorageError.Changed, $"Object '{key}' in {Name} is not the expected one ({service.ErrorCode}). It was written meanwhile; read it again.", cause);
                case HttpStatusCode.RequestedRangeNotSatisfiable:
                    return new(StorageError.Truncated, $"Object '{key}' in {Name} ends before the range that was asked for. Publish it again.", cause);
                case HttpStatusCode.InsufficientStorage:
                    return new(StorageError.Full, $"{Name} has no room for '{key}' ({service.ErrorCode}).", cause);
                case HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized:
                    return new(StorageError.Unavailable, $"{Name} refuses access to '{key}' ({service.ErrorCode}). Check access key, secret key and the bucket's policy.", cause);
            }
        }

        return cause is EndOfStreamException
            ? new(StorageError.Truncated, $"Object '{key}' in {Name}: {cause.Message}, {tries} times.", cause)
            : new(StorageError.Unavailable, $"{Name} did not answer for '{key}' in {tries} tries: {cause.Message}", cause);
    }

    private string Full(string key) => _options.Prefix + key;

    private static string Unquoted(string? etag) => etag?.Trim('"') ?? "";

    /// <summary>For reads. On writes Ceph compares what is in the quotes with the quotes, so there they are left away, which AWS takes too.</summary>
    private static string Quoted(string etag) => $"\"{etag}\"";

    private static DateTimeOffset At(DateTime? time) => time is { } value ? new DateTimeOffset(value.ToUniversalTime(), TimeSpan.Zero) : DateTimeOffset.UnixEpoch;
}
