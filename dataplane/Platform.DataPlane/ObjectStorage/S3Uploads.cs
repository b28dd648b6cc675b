using System.Net;
using Amazon.S3;
using Amazon.S3.Model;
using Crc = Platform.DataPlane.Nvme.Io.Checksum;

namespace Platform.DataPlane.ObjectStorage;

/// <summary>Uploads in parts to a server that speaks S3. An id is the server's after a mark of ours, which the object keeps: by it a completion finds out that it was carried out before.</summary>
internal sealed class S3Uploads(S3Connection connection) : IObjectUploads
{
    private const string MarkName = "platform-write";
    private const int MarkLength = 32;

    public long PartBytes(long preferredBytes, long lengthBytes) => S3PartPlan.PartBytes(Math.Max(preferredBytes, S3PartPlan.MinPartBytes), lengthBytes, 1);

    public async Task<string> StartAsync(string key, CancellationToken cancellationToken = default)
    {
        ObjectKey.ThrowIfInvalid(key);
        var mark = Guid.NewGuid().ToString("n");
        var answer = await connection.TryAsync(
            key,
            (_, idle) =>
            {
                var request = new InitiateMultipartUploadRequest { BucketName = connection.Bucket, Key = connection.Full(key) };
                request.Metadata[MarkName] = mark;
                if (connection.Options.Checksums)
                {
                    request.ChecksumAlgorithm = ChecksumAlgorithm.CRC32C;
                    request.ChecksumType = ChecksumType.FULL_OBJECT;
                }

                return connection.Client.InitiateMultipartUploadAsync(request, idle.Token);
            },
            cancellationToken);
        return mark + answer.UploadId;
    }

    public async Task<string> PutPartAsync(string key, string uploadId, int number, long offset, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default)
    {
        var (_, id) = Parse(key, uploadId);
        var checksum = connection.Options.Checksums ? ObjectChecksum.HeaderOfCrc32C(Crc.Crc32C(content.Span)) : null;
        var answer = await connection.TryAsync(
            key,
            (_, idle) => connection.Client.UploadPartAsync(
                new UploadPartRequest
                {
                    BucketName = connection.Bucket,
                    Key = connection.Full(key),
                    UploadId = id,
                    PartNumber = number,
                    PartSize = content.Length,
                    InputStream = new MemoryReadStream(content, idle.Alive),
                    UseChunkEncoding = connection.Options.ChunkEncoding,
                    ChecksumCRC32C = checksum,
                },
                idle.Token),
            cancellationToken);
        return answer.ETag;
    }

    public async Task<string> CompleteAsync(string key, string uploadId, long lengthBytes, IReadOnlyList<string> tags, CancellationToken cancellationToken = default)
    {
        var (mark, id) = Parse(key, uploadId);
        try
        {
            await connection.TryAsync(
                key,
                (_, idle) =>
                {
                    // The server checked each part as it came, and makes the whole object's checksum of theirs.
                    var request = new CompleteMultipartUploadRequest
                    {
                        BucketName = connection.Bucket,
                        Key = connection.Full(key),
                        UploadId = id,
                        PartETags = [.. tags.Select((tag, index) => new PartETag(index + 1, tag))],
                    };
                    if (connection.Options.Checksums)
                    {
                        request.ChecksumType = ChecksumType.FULL_OBJECT;
                    }

                    return connection.Client.CompleteMultipartUploadAsync(request, idle.Token);
                },
                cancellationToken);
        }
        catch (StorageException cause) when (cause.InnerException is AmazonS3Exception { ErrorCode: "InvalidPart" or "InvalidPartOrder" or "EntityTooSmall" } refused)
        {
            throw new StorageException(StorageError.NotFound, $"{connection.Name} does not have all parts of upload '{id}' of '{key}' ({refused.ErrorCode}). Begin it anew.", cause);
        }
        catch (StorageException cause) when (cause.Error == StorageError.NotFound || cause.InnerException is AmazonS3Exception { StatusCode: HttpStatusCode.InternalServerError })
        {
            // An earlier call may have been carried out, and only its answer was lost, in another life of this program even.
            if (await HeadAsync(key, cancellationToken) is { } done && done.Metadata[MarkName] == mark && done.ContentLength == lengthBytes)
            {
                return S3Connection.Unquoted(done.ETag);
            }

            // Ceph 16 answers 500, "already in progress", for an upload that it does not have.
            if (cause.Error == StorageError.NotFound || await ExistsAsync(key, id, cancellationToken))
            {
                throw;
            }

            throw new StorageException(StorageError.NotFound, $"{connection.Name} has no upload '{id}' of '{key}' any more. Begin it anew.", cause);
        }

        // Ceph 16 leaves the ETag out of the answer to the completion.
        var head = await HeadAsync(key, cancellationToken) ?? throw new StorageException(StorageError.NotFound, $"Object '{key}' in {connection.Name} is gone right after it was written: somebody deleted it.");
        return head.ContentLength == lengthBytes
            ? S3Connection.Unquoted(head.ETag)
            : throw new StorageException(StorageError.Changed, $"Object '{key}' in {connection.Name} has {head.ContentLength} bytes right after {lengthBytes} were written: somebody else writes it too.");
    }

    public async Task AbortAsync(string key, string uploadId, CancellationToken cancellationToken = default)
    {
        var (_, id) = Parse(key, uploadId);
        try
        {
            await connection.TryAsync(
                key,
                (_, idle) => connection.Client.AbortMultipartUploadAsync(new AbortMultipartUploadRequest { BucketName = connection.Bucket, Key = connection.Full(key), UploadId = id }, idle.Token),
                cancellationToken);
        }
        catch (StorageException cause) when (cause.Error == StorageError.NotFound)
        {
            // Nothing is left to give up.
        }
    }

    private async Task<bool> ExistsAsync(string key, string id, CancellationToken cancellationToken)
    {
        try
        {
            await connection.TryAsync(
                key,
                (_, idle) => connection.Client.ListPartsAsync(new ListPartsRequest { BucketName = connection.Bucket, Key = connection.Full(key), UploadId = id, MaxParts = 1 }, idle.Token),
                cancellationToken);
            return true;
        }
        catch (StorageException cause) when (cause.Error == StorageError.NotFound)
        {
            return false;
        }
    }

    private async Task<GetObjectMetadataResponse?> HeadAsync(string key, CancellationToken cancellationToken)
    {
        try
        {
            return await connection.TryAsync(
                key,
                (_, idle) => connection.Client.GetObjectMetadataAsync(new GetObjectMetadataRequest { BucketName = connection.Bucket, Key = connection.Full(key) }, idle.Token),
                cancellationToken);
        }
        catch (StorageException cause) when (cause.Error == StorageError.NotFound)
        {
            return null;
        }
    }

    private (string Mark, string Id) Parse(string key, string uploadId)
    {
        ObjectKey.ThrowIfInvalid(key);
        return uploadId.Length > MarkLength
            ? (uploadId[..MarkLength], uploadId[MarkLength..])
            : throw new StorageException(StorageError.NotFound, $"There is no upload '{uploadId}' of '{key}' in {connection.Name}. Begin it anew.");
    }
}
