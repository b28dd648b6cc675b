namespace Platform.Jobs;

/// <summary>The answer of <see cref="Routes.WorkerTier"/>: what the NVMe tier of one node holds.</summary>
/// <param name="Worker">The node.</param>
/// <param name="UsedBytes">Bytes that all blobs take.</param>
/// <param name="LimitBytes">Bytes that they may take.</param>
/// <param name="Blobs">Every blob, by key.</param>
public sealed record TierTable(string Worker, long UsedBytes, long LimitBytes, IReadOnlyList<TierBlobStatus> Blobs);

/// <summary>One blob in the tier.</summary>
/// <param name="Key">Its key, for a model's file <c>models/{model}/{file}</c>.</param>
/// <param name="LengthBytes">Bytes of the whole.</param>
/// <param name="LandedBytes">Bytes of it that are here.</param>
/// <param name="Sealed">True if it is whole and recorded.</param>
/// <param name="Leases">Who uses it now.</param>
/// <param name="ETag">Version of the object that it was read from.</param>
public sealed record TierBlobStatus(string Key, long LengthBytes, long LandedBytes, bool Sealed, int Leases, string ETag)
{
    /// <summary>What it is for: weights, shards, checkpoints or context.</summary>
    public string? Class { get; init; }

    /// <summary>Where else its bytes are: recoverable, onlyCopy or replicated.</summary>
    public string? Durability { get; init; }

    /// <summary>True if it is pinned: never evicted.</summary>
    public bool Pinned { get; init; }
}

/// <summary>The answer of <see cref="Routes.WorkerTierExplain"/>.</summary>
/// <param name="Worker">The node.</param>
/// <param name="Key">The key that was asked for.</param>
/// <param name="Blob">The blob; null if it is not here.</param>
/// <param name="Reason">How it came or went, or why it never was here.</param>
/// <param name="Eviction">What would evict it; null if it is not here.</param>
/// <param name="EvictionRank">0 for the next to go; null if it is not here or nothing may evict it now.</param>
/// <param name="UsedBytes">Bytes that all blobs take.</param>
/// <param name="LimitBytes">Bytes that they may take.</param>
public sealed record TierReason(string Worker, string Key, TierBlobStatus? Blob, string Reason, string? Eviction, int? EvictionRank, long UsedBytes, long LimitBytes)
{
    /// <summary>True if the key is pinned, its blob here or not.</summary>
    public bool Pinned { get; init; }

    /// <summary>Tries so far to copy an only copy to object storage.</summary>
    public int UploadTries { get; init; }

    /// <summary>What the last such try said; null if none failed.</summary>
    public string? UploadFailure { get; init; }
}

/// <summary>The answer of <see cref="Routes.WorkerTierVerify"/>: one blob, compared with its checksums.</summary>
/// <param name="Worker">The node.</param>
/// <param name="Key">The blob's key.</param>
/// <param name="File">Its file on that node.</param>
/// <param name="CheckedBytes">Bytes that were read and compared.</param>
/// <param name="Damage">Chunks that are damaged, or were.</param>
public sealed record TierVerification(string Worker, string Key, string File, long CheckedBytes, IReadOnlyList<TierChunkDamage> Damage);

/// <summary>One damaged chunk.</summary>
/// <param name="Offset">Where in the file it begins.</param>
/// <param name="LengthBytes">How long it is.</param>
/// <param name="Problem">What was found, and what was expected.</param>
/// <param name="Repaired">True if it was fetched again, and is right now.</param>
/// <param name="Outlook">What becomes of it.</param>
public sealed record TierChunkDamage(long Offset, int LengthBytes, string Problem, bool Repaired, string Outlook);

/// <summary>The answer of <see cref="Routes.WorkerTierPin"/>.</summary>
/// <param name="Worker">The node.</param>
/// <param name="Key">The key.</param>
/// <param name="Pinned">Whether it is pinned now.</param>
/// <param name="Changed">False if it was so already.</param>
/// <param name="Here">True if its blob is in the tier, at least in part.</param>
public sealed record TierPin(string Worker, string Key, bool Pinned, bool Changed, bool Here);
