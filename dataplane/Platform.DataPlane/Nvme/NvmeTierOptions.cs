using Platform.DataPlane.Tiering;

namespace Platform.DataPlane.Nvme;

/// <summary>Settings of an <see cref="NvmeTier"/>.</summary>
public sealed record NvmeTierOptions
{
    /// <summary>The tier's own folder; created if absent. One process at a time.</summary>
    public required string Folder { get; init; }

    /// <summary>Hard limit of all bytes in the folder, <see cref="MetadataBytes"/> included. Default 32 GiB.</summary>
    public long LimitBytes { get; init; } = 32L << 30;

    /// <summary>Part of the limit that is kept for the catalog. Default 8 MiB, at least 4 MiB. A quarter of it is for records, of about 500 bytes per blob and 4 per chunk; when that is full, blobs are evicted for it.</summary>
    public long MetadataBytes { get; init; } = 8 << 20;

    /// <summary>Part of the limit that is kept for <see cref="NvmeTier.Blocks"/>, counted as <see cref="TierClass.Context"/>. Default 0: no block store; else at least 16 MiB.</summary>
    public long BlockBytes { get; init; }

    /// <summary>Memory of the block store, bytes, besides its index of a 512th of <see cref="BlockBytes"/>. Default 8 MiB, at least 2 MiB; rounded down to a power of two.</summary>
    public long BlockMemoryBytes { get; init; } = 8 << 20;

    /// <summary>Bytes that are fetched, written, checked and recorded as one. Default 8 MiB; a multiple of 4096. A smaller blob is one chunk.</summary>
    public int ChunkBytes { get; init; } = 8 << 20;

    /// <summary>Chunk buffers of the tier: bounds its memory and the chunks in flight. Default 8, at least 2.</summary>
    public int Buffers { get; init; } = 8;

    /// <summary>Floor and ceiling per class. Default: none, all classes share the limit.</summary>
    public IReadOnlyDictionary<TierClass, ClassShare> Shares { get; init; } = new Dictionary<TierClass, ClassShare>();

    /// <summary>Most bytes that may be only copies. A writer beyond it waits while uploads make room, and is refused if nothing uploads. Default: half of the limit.</summary>
    public long? OnlyCopyLimitBytes { get; init; }

    /// <summary>Only copies larger than this are copied to object storage in parts of so many bytes; an upload that broke off goes on after the last part that arrived. Default 16 MiB, 4096 to 1 GiB; the storage may want larger parts (S3: 5 MiB, and 10,000 parts at most). One part is held in memory.</summary>
    public long UploadPartBytes { get; init; } = 16 << 20;

    /// <summary>When checksums are compared. Default <see cref="VerificationPolicy.Always"/>.</summary>
    public VerificationPolicy Verification { get; init; } = VerificationPolicy.Always;

    /// <summary>With <see cref="VerificationPolicy.Sampled"/>, how many reads of verified chunks there are per comparison. Default 16, at least 1.</summary>
    public int SampleEvery { get; init; } = 16;

    /// <summary>The clock, for what <see cref="NvmeTier.Explain"/> tells.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Bytes that the catalog may hold in memory. Its log grows to three times that before it is rewritten, which takes another copy, and ends in a segment of 1 MiB.</summary>
    internal long CatalogLimitBytes => (MetadataBytes - (1 << 20)) / 4;

    /// <summary>Called at named points before I/O; a test throws from it or ends the process in it.</summary>
    internal Action<string>? FaultPoint { get; init; }

    /// <summary>Goes through the page cache as if the file system had refused direct I/O.</summary>
    internal bool IsBuffered { get; init; }

    internal NvmeTierOptions Validated()
    {
        ArgumentException.ThrowIfNullOrEmpty(Folder);
        ArgumentOutOfRangeException.ThrowIfLessThan(MetadataBytes, 4L << 20);
        ArgumentOutOfRangeException.ThrowIfLessThan(LimitBytes, MetadataBytes + BlockBytes + 4096);
        ArgumentOutOfRangeException.ThrowIfLessThan(BlockBytes == 0 ? 16 << 20 : BlockBytes, 16 << 20, nameof(BlockBytes));
        ArgumentOutOfRangeException.ThrowIfLessThan(BlockMemoryBytes, 2 << 20);
        ArgumentOutOfRangeException.ThrowIfLessThan(ChunkBytes, 4096);
        ArgumentOutOfRangeException.ThrowIfNotEqual(ChunkBytes % 4096, 0);
        ArgumentOutOfRangeException.ThrowIfLessThan(Buffers, 2);
        ArgumentOutOfRangeException.ThrowIfLessThan(SampleEvery, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(UploadPartBytes, 4096);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(UploadPartBytes, 1L << 30);
        if (Shares.Values.Sum(share => share.FloorBytes) > LimitBytes - MetadataBytes || Shares.Any(share => share.Value.FloorBytes > share.Value.CeilingBytes))
        {
            throw new ArgumentException($"The floors of {nameof(Shares)} must fit {nameof(LimitBytes)} - {nameof(MetadataBytes)} together, and none may be above its ceiling.", nameof(Shares));
        }

        var context = Shares.GetValueOrDefault(TierClass.Context) ?? new ClassShare();
        if (BlockBytes > 0 && (BlockBytes > context.CeilingBytes || Shares.Values.Sum(share => share.FloorBytes) + Math.Max(0, BlockBytes - context.FloorBytes) > LimitBytes - MetadataBytes))
        {
            throw new ArgumentException($"{nameof(BlockBytes)} ({BlockBytes}) counts as {nameof(TierClass.Context)}: it must not be above that class's ceiling ({context.CeilingBytes}), and must fit {nameof(LimitBytes)} - {nameof(MetadataBytes)} ({LimitBytes - MetadataBytes}) together with the floors of {nameof(Shares)}.", nameof(BlockBytes));
        }

        return this with { Folder = Path.GetFullPath(Folder) };
    }
}

/// <summary>When bytes read from the device are compared with their recorded checksum.</summary>
public enum VerificationPolicy
{
    /// <summary>Every read that covers a whole chunk, and the first read of any part of it since the tier was opened.</summary>
    Always,

    /// <summary>The first read of each chunk since the tier was opened.</summary>
    First,

    /// <summary>As <see cref="First"/>, and of the later reads that cover a whole chunk one in <see cref="NvmeTierOptions.SampleEvery"/>.</summary>
    Sampled,
}
