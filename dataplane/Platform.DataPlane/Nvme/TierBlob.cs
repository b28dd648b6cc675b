using Platform.DataPlane.Tiering;

namespace Platform.DataPlane.Nvme;

/// <summary>One blob as <see cref="NvmeTier.ListAsync"/> and <see cref="NvmeTier.Explain"/> describe it.</summary>
/// <param name="Key">Its key.</param>
/// <param name="LengthBytes">Bytes of the whole.</param>
/// <param name="LandedBytes">Bytes of it that are here.</param>
/// <param name="AllocatedBytes">Bytes of the tier's limit that it takes.</param>
/// <param name="Sealed">True if it is whole and recorded.</param>
/// <param name="Leases">Who uses it now.</param>
/// <param name="ObjectKey">Where it comes from.</param>
/// <param name="ETag">Which version of that.</param>
/// <param name="Class">What it is for.</param>
/// <param name="Durability">Where else its bytes are.</param>
public sealed record TierBlob(string Key, long LengthBytes, long LandedBytes, long AllocatedBytes, bool Sealed, int Leases, string ObjectKey, string ETag, TierClass Class, Durability Durability)
{
    /// <summary>True if its key is pinned: it is never evicted.</summary>
    public bool Pinned { get; init; }
}

/// <summary>Why a key is, or is not, in the tier.</summary>
/// <param name="Key">The key.</param>
/// <param name="Blob">The blob; null if it is not here.</param>
/// <param name="Reason">In words: how it came or went.</param>
/// <param name="Eviction">What would evict it, in words; null if it is not here.</param>
/// <param name="EvictionRank">0 for the next to go; null if it is not here or nothing may evict it now.</param>
/// <param name="UsedBytes">Bytes that all blobs take.</param>
/// <param name="LimitBytes">Bytes that all blobs may take.</param>
public sealed record TierExplanation(string Key, TierBlob? Blob, string Reason, string? Eviction, int? EvictionRank, long UsedBytes, long LimitBytes)
{
    /// <summary>True if the key is pinned, its blob here or not.</summary>
    public bool Pinned { get; init; }

    /// <summary>Tries so far to copy an only copy to object storage since the tier was opened.</summary>
    public int UploadTries { get; init; }

    /// <summary>What the last such try said; null if none failed.</summary>
    public string? UploadFailure { get; init; }
}
