using System.Buffers;
using Amazon.S3;
using Amazon.S3.Model;
using Crc = Platform.DataPlane.Nvme.Io.Checksum;

namespace Platform.DataPlane.ObjectStorage;

/// <summary>Writes one object: in one request if it is small, in parts if not.</summary>
/// <remarks>
/// A conditional write that is tried again may meet its own success: the first try was carried out and only its answer was lost. So such writes leave a mark of their own in
/// the object's metadata, and a refusal after a second try is compared with it.
/// </remarks>
internal sealed class S3Upload(S3Connection connection, string key, PutCondition condition)
{
    private const string MarkName = "platform-write";
    private readonly string _mark = Guid.NewGuid().ToString("n");
    private int _tries;

    private bool IsConditional => condition != default;

    /// <summary>Writes bytes that are in memory.</summary>
    public async Task<string> WriteAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var checksum = connection.Options.Checksums ? ObjectChecksum.HeaderOfCrc32C(Crc.Crc32C(content.Span)) : null;
        try
        {
            var answer = await connection.TryAsync(
                key,
                (attempt, idle) =>
                {
                    _tries = attempt;
                    var request = new PutObjectRequest
                    {
                        BucketName = connection.Bucket,
                        Key = connection.Full(key),
                        InputStream = new MemoryReadStream(content, idle.Alive),
                        UseChunkEncoding = connection.Options.ChunkEncoding,
                        ChecksumCRC32C = checksum,
                        IfNoneMatch = condition.MustBeAbsent ? "*" : null,
                        IfMatch = condition.MustMatch,
                    };
                    Mark(request.Metadata);
                    return connection.Client.PutObjectAsync(request, idle.Token);
                },
                cancellationToken);
            return S3Connection.Unquoted(answer.ETag);
        }
        catch (StorageException cause) when (cause.Error == StorageError.Changed)
        {
            if (await OwnETagAsync(cancellationToken) is { } own)
            {
                return own;
            }

            throw;
        }
    }

    /// <summary>Writes a stream from its position to its end.</summary>
    public async Task<string> WriteAsync(Stream content, CancellationToken cancellationToken)
    {
        var length = LengthOf(content);
        var partBytes = (int)Math.Min(S3PartPlan.PartBytes(connection.Options.PartBytes, length, 1), Array.MaxLength);
        var buffer = ArrayPool<byte>.Shared.Rent(partBytes);
        try
        {
            var count = await content.ReadAtLeastAsync(buffer.AsMemory(0, partBytes), partBytes, throwOnEndOfStream: false, cancellationToken);
            return count < partBytes
                ? await WriteAsync(buffer.AsMemory(0, count), cancellationToken)
                : await WritePartsAsync(buffer, partBytes, content, length, cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static long? LengthOf(Stream content)
    {
        try
        {
            return content.Length;
        }
        catch (NotSupportedException)
        {
            return null;
        }
    }

    /// <summary>Uploads in parts, the first of which is in the buffer already. An upload that fails is aborted, so that its parts do not stay and cost.</summary>
    private async Task<string> WritePartsAsync(byte[] first, int firstBytes, Stream content, long? length, CancellationToken cancellationToken)
    {
        var upload = await connection.TryAsync(
            key,
            (_, idle) =>
            {
                var request = new InitiateMultipartUploadRequest { BucketName = connection.Bucket, Key = connection.Full(key) };
                if (connection.Options.Checksums)
                {
                    request.ChecksumAlgorithm = ChecksumAlgorithm.CRC32C;
                    request.ChecksumType = ChecksumType.FULL_OBJECT;
                }

                Mark(request.Metadata);
                return connection.Client.InitiateMultipartUploadAsync(request, idle.Token);
            },
            cancellationToken);
        try
        {
            var whole = new ObjectChecksum.Running(ObjectChecksumAlgorithm.Crc32C);
            var parts = new List<PartETag>();
            var buffer = first;
            try
            {
                for (var count = firstBytes; count > 0;)
                {
                    whole.Append(buffer.AsSpan(0, count));
                    parts.Add(await WritePartAsync(upload.UploadId, parts.Count + 1, buffer.AsMemory(0, count), cancellationToken));
                    if (parts.Count == S3PartPlan.MaxParts)
                    {
                        throw new StorageException(StorageError.TooLarge, $"Object '{key}' for {connection.Name} has more than {S3PartPlan.MaxParts} parts. Raise {nameof(S3ObjectStorageOptions.PartBytes)}, or split it.");
                    }

                    var next = (int)Math.Min(S3PartPlan.PartBytes(connection.Options.PartBytes, length, parts.Count + 1), Array.MaxLength);
                    if (next > buffer.Length)
                    {
                        Return(buffer, first);
                        buffer = ArrayPool<byte>.Shared.Rent(next);
                    }

                    count = await content.ReadAtLeastAsync(buffer.AsMemory(0, next), next, throwOnEndOfStream: false, cancellationToken);
                }
            }
            finally
            {
                Return(buffer, first);
            }

            await CompleteAsync(upload.UploadId, parts, (uint)whole.Current.Value, cancellationToken);
        }
        catch (Exception cause)
        {
            if (cause is StorageException { Error: StorageError.Changed } && await OwnETagAsync(cancellationToken) is { } own)
            {
                return own;
            }

            await AbortAsync(upload.UploadId);
            throw;
        }

        // Ceph 16 leaves the ETag out of the answer to the completion.
        return (await HeadAsync(cancellationToken))?.ETag is { } etag
            ? S3Connection.Unquoted(etag)
            : throw new StorageException(StorageError.NotFound, $"Object '{key}' in {connection.Name} is gone right after it was written: somebody deleted it.");
    }

    private async Task<PartETag> WritePartAsync(string uploadId, int number, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        var checksum = connection.Options.Checksums ? ObjectChecksum.HeaderOfCrc32C(Crc.Crc32C(bytes.Span)) : null;
        var answer = await connection.TryAsync(
            key,
            (_, idle) => connection.Client.UploadPartAsync(
                new UploadPartRequest
                {
                    BucketName = connection.Bucket,
                    Key = connection.Full(key),
                    UploadId = uploadId,
                    PartNumber = number,
                    PartSize = bytes.Length,
                    InputStream = new MemoryReadStream(bytes, idle.Alive),
                    UseChunkEncoding = connection.Options.ChunkEncoding,
                    ChecksumCRC32C = checksum,
                },
                idle.Token),
            cancellationToken);
        return new PartETag(number, answer.ETag);
    }

    private Task<CompleteMultipartUploadResponse?> CompleteAsync(string uploadId, List<PartETag> parts, uint crc, CancellationToken cancellationToken) => connection.TryAsync<CompleteMultipartUploadResponse?>(
        key,
        async (attempt, idle) =>
        {
            _tries = attempt;
            var request = new CompleteMultipartUploadRequest
            {
                BucketName = connection.Bucket,
                Key = connection.Full(key),
                UploadId = uploadId,
                PartETags = parts,
                IfNoneMatch = condition.MustBeAbsent ? "*" : null,
                IfMatch = condition.MustMatch,
            };
            if (connection.Options.Checksums)
            {
                request.ChecksumCRC32C = ObjectChecksum.HeaderOfCrc32C(crc);
                request.ChecksumType = ChecksumType.FULL_OBJECT;
            }

            try
            {
                return await connection.Client.CompleteMultipartUploadAsync(request, idle.Token);
            }
            catch (AmazonS3Exception cause) when (attempt > 1 && cause.ErrorCode == "NoSuchUpload")
            {
                // The try before may have been carried out, and only its answer was lost.
                if (await HeadAsync(idle.Token) is { } head && head.Metadata[MarkName] == _mark)
                {
                    return null;
                }

                throw;
            }
        },
        cancellationToken);

    private async Task AbortAsync(string uploadId)
    {
        try
        {
            await connection.TryAsync(
                key,
                (_, idle) => connection.Client.AbortMultipartUploadAsync(new AbortMultipartUploadRequest { BucketName = connection.Bucket, Key = connection.Full(key), UploadId = uploadId }, idle.Token),
                CancellationToken.None);
        }
        catch (StorageException)
        {
            // What made the upload fail is what the caller needs to hear. The bucket's rule for incomplete uploads clears the parts.
        }
    }

    /// <summary>The ETag of the object if an earlier try of this very write made it; else null.</summary>
    private async Task<string?> OwnETagAsync(CancellationToken cancellationToken) =>
        IsConditional && _tries > 1 && await HeadAsync(cancellationToken) is { } head && head.Metadata[MarkName] == _mark ? S3Connection.Unquoted(head.ETag) : null;

    private async Task<GetObjectMetadataResponse?> HeadAsync(CancellationToken cancellationToken)
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

    private void Mark(MetadataCollection metadata) => metadata[MarkName] = _mark;

    private static void Return(byte[] buffer, byte[] first)
    {
        if (buffer != first)
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
