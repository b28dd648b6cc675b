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
            var pinned = residents.Pinned.Contains(key);
            if (!residents.Blobs.TryGetValue(key, out var blob))
            {
                return new(key, null, WhyAbsent(key, pinned), null, null, residents.UsedBytes, residents.LimitBytes) { Pinned = pinned };
            }

            var order = residents.Budget.VictimOrder(residents.Now).ToList();
            var rank = order.IndexOf(blob);
            var before = order.Take(Math.Max(rank, 0)).Sum(victim => victim.AllocatedBytes);
            return new(key, Describe(blob), WhyHere(blob), WhatEvicts(blob, rank, before), rank < 0 ? null : rank, residents.UsedBytes, residents.LimitBytes)
            {
                Pinned = pinned,
                UploadTries = blob.Upload.Tries,
                UploadFailure = blob.Upload.LastFailure,
            };
        }
    }

    private string WhyAbsent(string key, bool pinned) =>
        (residents.Writing.Any(blob => blob.Key == key) ? "It is being written at this moment."
            : residents.RemovalOf(key) ?? "It was not asked for since this tier was opened.")
        + (pinned ? " Its key is pinned: once it is here it stays." : "");

    private static string WhyHere(Blob blob)
    {
        var origin = blob.Record.Durability switch
        {
            Durability.OnlyCopy => "It was written here and is nowhere else",
            Durability.Replicated => $"It was written here, object '{blob.Record.ObjectKey}' (ETag {blob.Record.ETag}) holds a copy",
            _ => $"It was read from object '{blob.Record.ObjectKey}' (ETag {blob.Record.ETag})",
        };
        return blob.IsSealed
            ? $"{origin}, and is whole and sealed."
            : $"{origin}; {blob.LandedBytes} of {blob.Layout.LengthBytes} bytes have landed, and it goes on where it stopped when it is read.";
    }

    private string WhatEvicts(Blob blob, int rank, long bytesBefore)
    {
        if (blob.Record.Durability == Durability.OnlyCopy)
        {
            return $"Nothing, while it is the only copy. Uploads tried: {blob.Upload.Tries}{(blob.Upload.LastFailure is { } failure ? $"; the last failed: {failure}" : "")}.";
        }

        if (blob.IsPinned)
        {
            return "Nothing, while its key is pinned.";
        }

        if (rank < 0)
        {
            return $"Nothing, while it has {blob.Leases} leases.";
        }

        var floor = residents.Budget.FloorOf(blob.Class);
        var kept = floor > 0 && residents.Budget.BytesOf(blob.Class) - blob.AllocatedBytes < floor
            ? $" Only one of its own class, which would fall below its floor of {floor} bytes otherwise."
            : "";
        return $"A new blob that needs more than the {residents.LimitBytes - residents.UsedBytes + bytesBefore} bytes which are free or go before it.{kept} In its class ({blob.Class}: {residents.Budget.BytesOf(blob.Class)} of at most {residents.Budget.CeilingOf(blob.Class)} bytes) S3-FIFO decides, between classes the cost of a miss times uses over age.";
    }

    private static TierBlob Describe(Blob blob) =>
        new(blob.Key, blob.Layout.LengthBytes, blob.LandedBytes, blob.Layout.AllocatedBytes, blob.IsSealed, blob.Leases, blob.Record.ObjectKey, blob.Record.ETag, blob.Class, blob.Record.Durability) { Pinned = blob.IsPinned };
}
