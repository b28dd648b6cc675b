using Platform.DataPlane.Nvme.Blobs;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.Nvme.Residency;

/// <summary>Takes blobs out of the tier: out of the catalog at once, off the device when the last lease ends.</summary>
internal sealed class Removal(TierEnvironment tier, Residents residents)
{
    /// <summary>Removes the blob of a key, when its turn has come.</summary>
    /// <returns>False if it was not here.</returns>
    public async Task<bool> RemoveAsync(string key, RemovalCause cause, CancellationToken cancellationToken)
    {
        await residents.Turn.WaitAsync(cancellationToken);
        try
        {
            Blob? blob;
            lock (residents.Gate)
            {
                if (!residents.Blobs.TryGetValue(key, out blob))
                {
                    return false;
                }
            }

            await RemoveAsync(blob, cause);
            return true;
        }
        finally
        {
            residents.Turn.Release();
        }
    }

    /// <summary>Removes a blob. With the turn.</summary>
    /// <param name="blob">The blob; nothing happens if it is being removed already.</param>
    /// <param name="cause">Why.</param>
    /// <param name="onlyIfUnused">Leaves it if it is leased.</param>
    public async Task RemoveAsync(Blob blob, RemovalCause cause, bool onlyIfUnused = false)
    {
        lock (residents.Gate)
        {
            if (blob.IsRemoved || (onlyIfUnused && blob.Leases > 0))
            {
                return;
            }

            Leave(blob, cause);
        }

        try
        {
            // Chunks that are still on their way are not waited for: whoever has the turn holds up everybody.
            await blob.Recorder.CloseAsync();
            await tier.Catalog.CommitAsync(WritesOf(tier, blob));
        }
        catch (StorageException)
        {
            blob.Recorder.Reopen();
            lock (residents.Gate)
            {
                residents.Leaving.Remove(blob);
                residents.TryEnter(blob);
                residents.Budget.Add(blob);
                blob.IsRemoved = false;
                blob.Leases--;
            }

            throw;
        }

        Finish(blob, cause);
    }

    /// <summary>What takes a blob out of the catalog.</summary>
    public static IReadOnlyList<DurableWrite> WritesOf(TierEnvironment tier, Blob blob) => BlobLayout.RemovalWrites(tier.Catalog, blob.Record.Id);

    /// <summary>Takes a blob out of the tables, under a lease of its own, which <see cref="Finish"/> ends. With the turn and under the gate.</summary>
    public void Leave(Blob blob, RemovalCause cause)
    {
        blob.IsRemoved = true;
        residents.Blobs.Remove(blob.Key);
        residents.Budget.Remove(blob);
        residents.Leaving.Add(blob);
        blob.Leases++;
        residents.Remember(blob.Key, $"It was dropped at {tier.Options.Time.GetUtcNow():u}: {cause.Text}.");
    }

    /// <summary>Ends the removal of a blob that the catalog no longer has. Its file goes now, or with its last lease.</summary>
    public void Finish(Blob blob, RemovalCause cause)
    {
        NvmeLog.Evicted(tier.Logger, blob.Key, blob.Record.LengthBytes, cause.Text);
        tier.Meter.Evicted(blob.Class, blob.AllocatedBytes, cause.Kind);
        if (blob.Record.Durability == Tiering.Durability.OnlyCopy)
        {
            residents.SignalFewerOnlyCopies();
        }

        Release(blob);
    }

    /// <summary>Ends a lease.</summary>
    public void Release(Blob blob)
    {
        lock (residents.Gate)
        {
            if (--blob.Leases > 0 || !blob.IsRemoved || residents.IsClosed)
            {
                return;
            }
        }

        DeleteFile(blob);
    }

    /// <summary>Takes back a blob whose admission failed.</summary>
    /// <param name="blob">The blob.</param>
    /// <param name="mayReplace">
    /// True if the commit that failed would have put it in the place of another. After a kill that commit may be found on the device whole; then this blob's file is the only one that counts, so it is
    /// kept until a later commit has taken it back.
    /// </param>
    public async Task UndoAdmissionAsync(Blob blob, bool mayReplace)
    {
        lock (residents.Gate)
        {
            blob.IsRemoved = true;
            residents.Leaving.Add(blob);
        }

        if (!mayReplace)
        {
            DeleteFile(blob);
        }

        if (await TryForgetAsync(blob))
        {
            if (mayReplace)
            {
                DeleteFile(blob);
            }
        }
        else if (mayReplace)
        {
            lock (residents.Gate)
            {
                residents.Undecided.Add(blob);
            }
        }
    }

    /// <summary>Tries again to delete what could not be deleted before. With the turn.</summary>
    public async Task RetryDeletionsAsync()
    {
        Blob[] undeleted;
        Blob[] undecided;
        lock (residents.Gate)
        {
            undeleted = [.. residents.Undeleted];
            residents.Undeleted.Clear();
            undecided = [.. residents.Undecided];
        }

        foreach (var blob in undecided)
        {
            if (await TryForgetAsync(blob))
            {
                lock (residents.Gate)
                {
                    residents.Undecided.Remove(blob);
                }

                DeleteFile(blob);
            }
        }

        foreach (var blob in undeleted)
        {
            DeleteFile(blob);
        }
    }

    /// <summary>Takes the record out of the catalog, if it got there.</summary>
    /// <returns>False if that failed: at the next open the record is there or not.</returns>
    private async Task<bool> TryForgetAsync(Blob blob)
    {
        try
        {
            await tier.Catalog.CommitAsync([new(BlobLayout.RecordKey(blob.Record.Id), null)]);
            return true;
        }
        catch (IOException cause)
        {
            NvmeLog.Dropped(tier.Logger, blob.Key, cause.Message);
            return false;
        }
    }

    /// <summary>Deletes the file of a blob that the catalog no longer has. Whoever ends the last lease has done no wrong if that fails: the file stays counted, and is tried again when room is needed.</summary>
    private void DeleteFile(Blob blob)
    {
        try
        {
            tier.Device.Fault(FaultArea.Blob["delete"]);
            blob.Dispose();
            File.Delete(blob.FilePath);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            NvmeLog.NotDeleted(tier.Logger, blob.FilePath, blob.Key, cause.Message);
            lock (residents.Gate)
            {
                residents.Undeleted.Add(blob);
            }

            return;
        }

        lock (residents.Gate)
        {
            if (residents.Leaving.Remove(blob))
            {
                residents.GiveBack(blob.AllocatedBytes);
            }
        }
    }
}
