using Platform.DataPlane.Nvme.Blobs;
using Platform.DataPlane.Nvme.Io;
using Platform.DataPlane.Tiering;

namespace Platform.DataPlane.Nvme.Residency;

/// <summary>Lets blobs in, and makes room for them within the limit.</summary>
internal sealed class Admission(TierEnvironment tier, Residents residents, Leases leases, Removal removal)
{
    // In the catalog, until the blob is sealed.
    private const int ChunkRecordBytes = 300;

    /// <summary>Leases the blob of a source, which is let in if it is not here.</summary>
    /// <exception cref="StorageException"><see cref="StorageError.Full"/>: it does not fit beside what is in use; the message has the figures.</exception>
    public async Task<BlobLease> OpenAsync(BlobSource source, CancellationToken cancellationToken)
    {
        if (leases.TryLease(source) is { } lease)
        {
            return lease;
        }

        await residents.Turn.WaitAsync(cancellationToken);
        try
        {
            return leases.TryLease(source) ?? await AdmitAsync(source);
        }
        finally
        {
            residents.Turn.Release();
        }
    }

    /// <summary>Evicts until so many bytes of a class fit. With the turn.</summary>
    public async Task MakeRoomAsync(string key, TierClass tierClass, BlobLayout layout)
    {
        if (layout.LengthBytes > residents.LimitBytes)
        {
            // Before anything is rounded up: that overflows for the largest lengths.
            throw new StorageException(StorageError.Full, $"Blob '{key}' has {layout.LengthBytes} bytes; the tier at '{tier.Options.Folder}' takes {residents.LimitBytes} at most. Raise the limit, or check the length.");
        }

        var neededBytes = layout.AllocatedBytes;
        await removal.RetryDeletionsAsync();
        while (true)
        {
            Blob? victim;
            long inUse;
            long onlyCopies;
            long unrecorded;
            lock (residents.Gate)
            {
                // What is removed but still read takes room as well.
                if (residents.UsedBytes + neededBytes <= residents.LimitBytes && residents.Budget.Fits(tierClass, neededBytes) && HasRoomInCatalog(key, layout))
                {
                    return;
                }

                // Nothing goes for one that cannot get in anyway.
                victim = residents.Budget.CouldFit(tierClass, neededBytes, residents.LimitBytes - residents.UsedBytes)
                    ? (Blob?)residents.Budget.PickVictim(tierClass, neededBytes, residents.Now)
                    : null;
                inUse = residents.Blobs.Values.Concat(residents.Leaving).Where(blob => blob.Leases > 0).Sum(blob => blob.AllocatedBytes);
                onlyCopies = residents.OnlyCopies().Sum(blob => blob.AllocatedBytes);
                unrecorded = Unrecorded();
            }

            if (victim is null)
            {
                throw new StorageException(
                    StorageError.Full,
                    $"Blob '{key}' needs {neededBytes} bytes; the tier at '{tier.Options.Folder}' has {residents.LimitBytes - residents.UsedBytes} of {residents.LimitBytes} free, {inUse} in use and {onlyCopies} that are only copies; "
                    + $"{residents.SetAsideBytes} are set aside from a damaged catalog, records of blobs take {tier.Catalog.LiveBytes} of {tier.Options.CatalogLimitBytes}, and {unrecorded} more are still to be recorded; "
                    + $"class {tierClass} has {residents.Budget.BytesOf(tierClass)} of at most {residents.Budget.CeilingOf(tierClass)}. Raise the limit, or use fewer blobs at once.");
            }

            await removal.RemoveAsync(victim, RemovalCause.Room($"room was needed for '{key}' ({neededBytes} bytes, {tierClass})"), onlyIfUnused: true);
        }
    }

    /// <summary>Evicts until limits that were lowered since the last time hold: the tier's, and the ceilings of classes. Only copies and pinned blobs stay; nothing is let in until there is room.</summary>
    public async Task ShrinkAsync()
    {
        while (residents.Budget.PickSurplus(residents.UsedBytes - residents.LimitBytes, residents.Now) is Blob victim)
        {
            await removal.RemoveAsync(victim, RemovalCause.Limit("the tier was opened with a lower limit"));
        }
    }

    /// <summary>True if the blob's record, and those of its chunks until it is sealed, fit the catalog beside what others are still going to record. Under the gate.</summary>
    private bool HasRoomInCatalog(string key, BlobLayout layout)
    {
        const int RecordBytes = 1024;
        return tier.Catalog.LiveBytes + Unrecorded() + RecordBytes + (4 * key.Length) + ((long)ChunkRecordBytes * layout.ChunkCount) <= tier.Options.CatalogLimitBytes;
    }

    /// <summary>Bytes of the catalog for chunks that are still to come. Under the gate.</summary>
    private long Unrecorded() => residents.Blobs.Values.Where(blob => blob.Record.Crcs is null).Sum(blob => (long)ChunkRecordBytes * blob.Chunks.MissingCount);

    /// <summary>Makes room and a new blob. With the turn.</summary>
    private async Task<BlobLease> AdmitAsync(BlobSource source)
    {
        Blob? old;
        lock (residents.Gate)
        {
            residents.Blobs.TryGetValue(source.Key, out old);
        }

        if (old is not null)
        {
            if (old.Record.Durability == Durability.OnlyCopy)
            {
                throw new StorageException(StorageError.Changed, $"Blob '{source.Key}' was written here and is not yet in object storage; object '{source.ObjectKey}' is another version. Wait for its upload, or remove it.");
            }

            await removal.RemoveAsync(old, RemovalCause.Changed($"object '{source.ObjectKey}' changed: ETag {source.ETag}, the blob had {old.Record.ETag}"));
        }

        var layout = new BlobLayout(source.LengthBytes, tier.Options.ChunkBytes);
        await MakeRoomAsync(source.Key, source.Class, layout);
        var blob = new Blob(tier, new BlobRecord(residents.NextId++, source.Key, source.ObjectKey, source.ETag, source.LengthBytes, layout.ChunkBytes, source.Class, Durability.Recoverable, null));
        residents.Take(layout.AllocatedBytes);
        try
        {
            await tier.Catalog.CommitAsync([new(BlobLayout.RecordKey(blob.Record.Id), blob.Record.Write())]);
            blob.OpenFile(create: true);
            Posix.SyncFolder(tier.BlobFolder);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            await removal.UndoAdmissionAsync(blob, mayReplace: false);
            throw StorageException.From(cause, $"Blob '{source.Key}' of {source.LengthBytes} bytes cannot be placed in the tier at '{tier.Options.Folder}' ({residents.UsedBytes} of {residents.LimitBytes} bytes used)");
        }

        _ = blob.Recorder.SealIfWhole();
        lock (residents.Gate)
        {
            residents.TryEnter(blob);
            residents.Budget.Add(blob);
            return leases.Grant(blob, source);
        }
    }
}
