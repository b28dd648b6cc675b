using System.Runtime.CompilerServices;
using Platform.DataPlane.Nvme.Blobs;
using Platform.DataPlane.ObjectStorage;
using Platform.DataPlane.Tiering;

namespace Platform.DataPlane.Nvme.Residency;

/// <summary>Compares what lies on the device with its checksums, and fetches again what differs.</summary>
internal sealed class Inspection(Residents residents, Removal removal)
{
    /// <summary>Checks blobs, one after the other.</summary>
    /// <returns>One line per damaged chunk, with file and offset.</returns>
    public async IAsyncEnumerable<string> VerifyAsync(IReadOnlyList<string> keys, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var key in keys)
        {
            var check = await CheckAsync(key, repairFrom: null, cancellationToken);
            foreach (var damage in check?.Damage ?? [])
            {
                yield return $"'{check!.FilePath}', offset {damage.Offset}: damaged chunk of blob '{key}': {damage.Problem}";
            }
        }
    }

    /// <summary>Checks one blob. While it lasts the blob is leased, so it is not evicted.</summary>
    /// <returns>Null if the key is not here.</returns>
    public async Task<TierCheck?> CheckAsync(string key, IObjectStorage? repairFrom, CancellationToken cancellationToken)
    {
        Blob? blob;
        long here;
        lock (residents.Gate)
        {
            ObjectDisposedException.ThrowIf(residents.IsClosed, typeof(NvmeTier));
            if (!residents.Blobs.TryGetValue(key, out blob))
            {
                return null;
            }

            blob.Leases++;
        }

        try
        {
            here = blob.LandedBytes;
            var damage = new List<TierDamage>();
            foreach (var chunk in await blob.VerifyAsync(cancellationToken))
            {
                damage.Add(await RepairAsync(blob, chunk, repairFrom, cancellationToken));
            }

            return new TierCheck(key, blob.FilePath, here, damage);
        }
        finally
        {
            removal.Release(blob);
        }
    }

    private static async Task<TierDamage> RepairAsync(Blob blob, ChunkDamage chunk, IObjectStorage? storage, CancellationToken cancellationToken)
    {
        TierDamage Found(bool repaired, string outlook) => new(chunk.Offset, chunk.LengthBytes, chunk.Problem, repaired, outlook);
        if (blob.Record.Durability == Durability.OnlyCopy)
        {
            return Found(repaired: false, "It is lost: the blob was written here and is nowhere else. Remove it, and write it anew.");
        }

        var source = $"object '{blob.Record.ObjectKey}'";
        if (storage is null)
        {
            return Found(repaired: false, $"It can be fetched again from {source}: a read through a lease with its source does so, and a check with repair.");
        }

        try
        {
            await blob.RepairAsync(chunk, storage, cancellationToken);
            return Found(repaired: true, $"It was fetched again from {source}.");
        }
        catch (StorageException cause)
        {
            return Found(repaired: false, $"It could not be fetched again from {source}: {cause.Message}");
        }
    }
}
