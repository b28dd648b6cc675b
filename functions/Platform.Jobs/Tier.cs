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
public sealed record TierBlobStatus(string Key, long LengthBytes, long LandedBytes, bool Sealed, int Leases, string ETag);

/// <summary>The answer of <see cref="Routes.WorkerTierExplain"/>.</summary>
/// <param name="Worker">The node.</param>
/// <param name="Key">The key that was asked for.</param>
/// <param name="Blob">The blob; null if it is not here.</param>
/// <param name="Reason">How it came or went, or why it never was here.</param>
/// <param name="Eviction">What would evict it; null if it is not here.</param>
/// <param name="EvictionRank">0 for the next to go; null if it is not here or nothing may evict it now.</param>
/// <param name="UsedBytes">Bytes that all blobs take.</param>
/// <param name="LimitBytes">Bytes that they may take.</param>
public sealed record TierReason(string Worker, string Key, TierBlobStatus? Blob, string Reason, string? Eviction, int? EvictionRank, long UsedBytes, long LimitBytes);
