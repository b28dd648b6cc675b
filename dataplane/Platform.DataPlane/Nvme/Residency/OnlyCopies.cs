using Platform.DataPlane.Nvme.Blobs;
using Platform.DataPlane.Nvme.Io;
using Platform.DataPlane.Tiering;

namespace Platform.DataPlane.Nvme.Residency;

/// <summary>Blobs that are written here first: how they get in, and how their writers are slowed down while uploads lag behind.</summary>
internal sealed class OnlyCopies(TierEnvironment tier, Residents residents, Admission admission, Leases leases, Removal removal)
{
    /// <summary>True once something copies only copies to object storage, so that it makes sense to wait for room.</summary>
    public bool AreUploaded { get; set; }

    /// <summary>Bytes that are nowhere else.</summary>
    public long Bytes
    {
        get
        {
            lock (residents.Gate)
            {
                return residents.OnlyCopies().Sum(blob => blob.AllocatedBytes);
            }
        }
    }

    /// <summary>Writes a blob; completes when it is durable and has taken the place of one with the same key.</summary>
    public async Task PutAsync(string key, TierClass tierClass, long lengthBytes, Func<BlobWriter, Task> write, CancellationToken cancellationToken)
    {
        var blob = await ReserveAsync(key, tierClass, lengthBytes, cancellationToken);
        var isPublished = false;
        try
        {
            blob.OpenFile(create: true);
            Posix.SyncFolder(tier.BlobFolder);
            await write(new BlobWriter(tier, blob));
            isPublished = true;
            await PublishAsync(blob);
        }
        catch (Exception cause)
        {
            lock (residents.Gate)
            {
                residents.Writing.Remove(blob);
                residents.Budget.Remove(blob);
            }

            await removal.UndoAdmissionAsync(blob, mayReplace: isPublished);
            residents.SignalFewerOnlyCopies();
            if (cause is (IOException or UnauthorizedAccessException) and not StorageException)
            {
                throw StorageException.From(cause, $"Blob '{key}' of {lengthBytes} bytes cannot be written to the tier at '{tier.Options.Folder}'");
            }

            throw;
        }
    }

    /// <summary>An only copy that waits for its upload: of those tried least often, the oldest, so that one that cannot be uploaded holds up no other. It is leased for the caller.</summary>
    /// <param name="onlyNew">Only one that was not tried yet.</param>
    /// <param name="blob">The only copy.</param>
    /// <returns>Null if there is none.</returns>
    public BlobLease? NextUpload(bool onlyNew, out Blob? blob)
    {
        lock (residents.Gate)
        {
            // One that is about to go is left alone: nothing about its upload could be noted, so that every try would begin where the last one did.
            blob = residents.IsClosed ? null : residents.OnlyCopies().Except(residents.Writing).Where(copy => !copy.Recorder.IsClosed && !(onlyNew && copy.Upload.Tries > 0)).MinBy(copy => (copy.Upload.Tries, copy.Record.Id));
            return blob is null ? null : leases.Grant(blob, null);
        }
    }

    /// <summary>Lets writers go on that waited for an upload.</summary>
    public void Uploaded() => residents.SignalFewerOnlyCopies();

    /// <summary>Completes when no blob is an only copy any more.</summary>
    public async Task WhenUploadedAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            Task uploaded;
            lock (residents.Gate)
            {
                if (!residents.OnlyCopies().Any())
                {
                    return;
                }

                ObjectDisposedException.ThrowIf(residents.IsClosed, typeof(NvmeTier));
                uploaded = residents.FewerOnlyCopies;
            }

            await uploaded.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Takes room for an only copy, waiting for uploads if need be. Others are admitted meanwhile.</summary>
    private async Task<Blob> ReserveAsync(string key, TierClass tierClass, long lengthBytes, CancellationToken cancellationToken)
    {
        var layout = new BlobLayout(lengthBytes, tier.Options.ChunkBytes);
        while (true)
        {
            await residents.Turn.WaitAsync(cancellationToken);
            Task room;
            try
            {
                if (HasRoom(key, layout.AllocatedBytes, out room))
                {
                    await admission.MakeRoomAsync(key, tierClass, layout);
                    var blob = new Blob(tier, new BlobRecord(residents.NextId++, key, "", "", lengthBytes, layout.ChunkBytes, tierClass, Durability.OnlyCopy, null));
                    lock (residents.Gate)
                    {
                        residents.Take(layout.AllocatedBytes);
                        residents.Writing.Add(blob);
                        residents.Budget.Add(blob);
                    }

                    return blob;
                }
            }
            finally
            {
                residents.Turn.Release();
            }

            tier.Meter.WriterWaits();
            await room.WaitAsync(cancellationToken);
        }
    }

    /// <summary>True if a new only copy fits under its limit; else <paramref name="room"/> is what to wait for. Writers are slowed here, before the tier overflows.</summary>
    private bool HasRoom(string key, long neededBytes, out Task room)
    {
        var limit = tier.Options.OnlyCopyLimitBytes ?? (residents.LimitBytes / 2);
        lock (residents.Gate)
        {
            ObjectDisposedException.ThrowIf(residents.IsClosed, typeof(NvmeTier));
            var bytes = residents.OnlyCopies().Sum(blob => blob.AllocatedBytes);
            room = residents.FewerOnlyCopies;
            if (bytes + neededBytes <= limit)
            {
                return true;
            }

            if (!AreUploaded || neededBytes > limit)
            {
                throw new StorageException(
                    StorageError.Full,
                    $"Blob '{key}' needs {neededBytes} bytes as an only copy; the tier at '{tier.Options.Folder}' holds {bytes} of at most {limit} such bytes{(AreUploaded ? "" : " and nothing uploads them")}. Start uploads, or raise {nameof(NvmeTierOptions.OnlyCopyLimitBytes)}.");
            }

            return false;
        }
    }

    /// <summary>Seals a written blob and puts it in the place of one with the same key, in one commit. A crash before that leaves a file without a record.</summary>
    private async Task PublishAsync(Blob blob)
    {
        await residents.Turn.WaitAsync(CancellationToken.None);
        try
        {
            Blob? old;
            lock (residents.Gate)
            {
                residents.Blobs.TryGetValue(blob.Key, out old);
            }

            if (old is not null)
            {
                await old.Recorder.CloseAsync();
            }

            try
            {
                await blob.Recorder.SealAsync(old is null ? [] : Removal.WritesOf(tier, old));
            }
            catch
            {
                old?.Recorder.Reopen();
                throw;
            }

            // From here on the new one is the durable one: nothing may fail the call any more.
            lock (residents.Gate)
            {
                if (old is not null)
                {
                    removal.Leave(old, RemovalCause.Rewritten("it was written anew"));
                }

                residents.Writing.Remove(blob);
                residents.TryEnter(blob);
                blob.LastUsed = residents.Tick();
            }

            if (old is not null)
            {
                removal.Finish(old, RemovalCause.Rewritten("it was written anew"));
            }
        }
        finally
        {
            residents.Turn.Release();
        }
    }
}
