using Platform.DataPlane.Nvme.Blobs;
using Platform.DataPlane.Tiering;

namespace Platform.DataPlane.Nvme.Residency;

/// <summary>Says in words what is here, why, and what would evict it.</summary>
internal sealed class Explanation(Residents residents)
{
    public IReadOnlyList<TierBlob> List()
    {
        lock (residents.Gate)
        {
            return [.. residents.Blobs.Values.OrderBy(blob => blob.Key, StringComparer.Ordinal).Select(Describe)];
        }
    }

    public TierExplanation Of(string key)
    {
        lock (residents.Gate)
        {
            if (!residents.Blobs.TryGetValue(key, out var blob))
            {
                return new(key, null, residents.RemovalOf(key) ?? "It was not asked for since this tier was opened.", null, null, residents.UsedBytes, residents.LimitBytes);
            }

            var order = residents.Budget.VictimOrder(residents.Now).ToList();
            var rank = order.IndexOf(blob);
            var before = order.Take(Math.Max(rank, 0)).Sum(victim => victim.AllocatedBytes);
            var state = blob.IsSealed ? "whole and sealed" : $"{blob.LandedBytes} of {blob.Layout.LengthBytes} bytes have landed; it goes on where it stopped when it is read";
            return new(
                key,
                Describe(blob),
                $"It was read from object '{blob.Record.ObjectKey}' and is {state}.",
                EvictionOf(blob, rank, before),
                rank < 0 ? null : rank,
                residents.UsedBytes,
                residents.LimitBytes);
        }
    }

    private string EvictionOf(Blob blob, int rank, long bytesBefore)
    {
        if (blob.Record.Durability == Durability.OnlyCopy)
        {
            return $"Nothing, while it is the only copy. Uploads tried: {blob.Upload.Tries}{(blob.Upload.LastFailure is { } failure ? $"; the last failed: {failure}" : "")}.";
        }

        return rank < 0
            ? $"Nothing, while it has {blob.Leases} leases."
            : $"A new blob that needs more than the {residents.LimitBytes - residents.UsedBytes + bytesBefore} bytes which are free or go before it. In its class ({blob.Class}) S3-FIFO decides, between classes the cost of a miss times uses over age.";
    }

    private static TierBlob Describe(Blob blob) =>
        new(blob.Key, blob.Layout.LengthBytes, blob.LandedBytes, blob.Layout.AllocatedBytes, blob.IsSealed, blob.Leases, blob.Record.ObjectKey, blob.Record.ETag, blob.Class, blob.Record.Durability);
}
