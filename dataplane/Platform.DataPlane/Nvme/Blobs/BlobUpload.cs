using System.Text;
using Platform.DataPlane.Nvme.Io;
using Platform.DataPlane.ObjectStorage;

namespace Platform.DataPlane.Nvme.Blobs;

/// <summary>Copies one only copy to object storage: whole if it is small, else in parts, each noted in the catalog when it is there, so that the next try, in the next life too, goes on after the last of them.</summary>
internal sealed class BlobUpload(TierEnvironment tier, Blob blob, BlobLease lease, IObjectStorage storage, string objectKey)
{
    private long Id => blob.Record.Id;

    /// <summary>Copies the blob.</summary>
    /// <returns>The object's ETag; null if the blob was removed meanwhile.</returns>
    public async Task<string?> RunAsync(CancellationToken cancellationToken)
    {
        if (storage.Uploads is { } uploads && uploads.PartBytes(tier.Options.UploadPartBytes, lease.LengthBytes) is var partBytes && partBytes < lease.LengthBytes)
        {
            return await PutPartsAsync(uploads, partBytes, cancellationToken);
        }

        await using var stream = new BlobReadStream(lease);
        return await storage.PutAsync(objectKey, stream, cancellationToken: cancellationToken);
    }

    private async Task<string?> PutPartsAsync(IObjectUploads uploads, long partBytes, CancellationToken cancellationToken)
    {
        var upload = await ResumeAsync(uploads, cancellationToken) ?? await StartAsync(uploads, partBytes, cancellationToken);
        try
        {
            var tags = new string[(lease.LengthBytes + upload.PartBytes - 1) / upload.PartBytes];
            byte[]? buffer = null;
            for (var number = 1; number <= tags.Length; number++)
            {
                if (blob.IsRemoved)
                {
                    return null;
                }

                if (tier.Catalog.TryGet(BlobLayout.UploadPartKey(Id, number), out var known))
                {
                    tags[number - 1] = Encoding.UTF8.GetString(known);
                    continue;
                }

                var offset = (number - 1) * upload.PartBytes;
                buffer ??= new byte[upload.PartBytes];
                var part = buffer.AsMemory(0, (int)Math.Min(buffer.Length, lease.LengthBytes - offset));
                await lease.ReadAsync(offset, part, cancellationToken);
                tags[number - 1] = await uploads.PutPartAsync(objectKey, upload.UploadId, number, offset, part, cancellationToken);
                tier.Device.Fault(FaultArea.Upload["part"]);
                await blob.Recorder.NoteAsync([new(BlobLayout.UploadPartKey(Id, number), Encoding.UTF8.GetBytes(tags[number - 1]))]);
            }

            var etag = await uploads.CompleteAsync(objectKey, upload.UploadId, lease.LengthBytes, tags, cancellationToken);
            tier.Device.Fault(FaultArea.Upload["complete"]);
            return etag;
        }
        catch (StorageException cause) when (cause.Error == StorageError.NotFound)
        {
            // The storage no longer has it, or not all of it: the next try begins anew.
            await ForgetAsync(uploads, upload, cancellationToken);
            throw;
        }
    }

    /// <summary>The upload that an earlier try began; null if there is none that can be gone on with.</summary>
    private async Task<UploadRecord?> ResumeAsync(IObjectUploads uploads, CancellationToken cancellationToken)
    {
        if (!tier.Catalog.TryGet(BlobLayout.UploadKey(Id), out var bytes))
        {
            return null;
        }

        var upload = UploadRecord.Read(bytes);
        if (upload is not null && upload.Storage == storage.Name && upload.ObjectKey == objectKey)
        {
            return upload;
        }

        await ForgetAsync(uploads, upload, cancellationToken);
        return null;
    }

    private async Task<UploadRecord> StartAsync(IObjectUploads uploads, long partBytes, CancellationToken cancellationToken)
    {
        var upload = new UploadRecord(storage.Name, objectKey, await uploads.StartAsync(objectKey, cancellationToken), partBytes);
        try
        {
            tier.Device.Fault(FaultArea.Upload["begun"]);
            await blob.Recorder.NoteAsync([new(BlobLayout.UploadKey(Id), upload.Write())]);
            return upload;
        }
        finally
        {
            if (!tier.Catalog.TryGet(BlobLayout.UploadKey(Id), out _))
            {
                // It could not be noted, or the blob was removed meanwhile: nobody would find it again.
                await uploads.AbortAsync(objectKey, upload.UploadId, CancellationToken.None);
            }
        }
    }

    /// <summary>Takes an upload out of the catalog, and gives it up where it was begun, if that is here.</summary>
    private async Task ForgetAsync(IObjectUploads uploads, UploadRecord? upload, CancellationToken cancellationToken)
    {
        if (upload is not null && upload.Storage == storage.Name)
        {
            await uploads.AbortAsync(upload.ObjectKey, upload.UploadId, cancellationToken);
        }

        await blob.Recorder.NoteAsync(BlobLayout.UploadWrites(tier.Catalog, Id));
    }
}
