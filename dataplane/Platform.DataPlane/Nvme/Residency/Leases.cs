using Platform.DataPlane.Nvme.Blobs;

namespace Platform.DataPlane.Nvme.Residency;

/// <summary>Grants holds on blobs that are here.</summary>
internal sealed class Leases(TierEnvironment tier, Residents residents, Removal removal)
{
    /// <summary>Leases the blob of a source if just that version is here.</summary>
    public BlobLease? TryLease(BlobSource source)
    {
        lock (residents.Gate)
        {
            ObjectDisposedException.ThrowIf(residents.IsClosed, typeof(NvmeTier));
            return residents.Blobs.TryGetValue(source.Key, out var blob) && IsSameVersion(blob.Record, source) ? Grant(blob, source) : null;
        }
    }

    /// <summary>Leases a blob that is here, whatever its source.</summary>
    public BlobLease? TryLease(string key)
    {
        lock (residents.Gate)
        {
            ObjectDisposedException.ThrowIf(residents.IsClosed, typeof(NvmeTier));
            return residents.Blobs.TryGetValue(key, out var blob) ? Grant(blob, null) : null;
        }
    }

    /// <summary>Leases a blob. Under the gate.</summary>
    public BlobLease Grant(Blob blob, BlobSource? source)
    {
        if (blob.LastUsed > 0)
        {
            residents.Budget.Touch(blob);
        }

        tier.Meter.Opened(blob.Class, hit: blob.IsSealed);
        blob.Leases++;
        blob.LastUsed = residents.Tick();
        return new BlobLease(blob, source, removal);
    }

    private static bool IsSameVersion(BlobRecord record, BlobSource source) =>
        record.ETag == source.ETag && record.ObjectKey == source.ObjectKey && record.LengthBytes == source.LengthBytes;
}
