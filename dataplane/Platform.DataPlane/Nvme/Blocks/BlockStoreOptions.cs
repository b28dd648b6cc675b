using System.Numerics;
using Microsoft.Extensions.Logging;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.Nvme.Blocks;

/// <summary>Sizes of a <see cref="BlockStore"/>, all explicit: FASTER's own defaults are 16 GiB of memory.</summary>
internal sealed record BlockStoreOptions
{
    public required string Folder { get; init; }

    /// <summary>Most bytes of files. At least 16 MiB.</summary>
    public required long LimitBytes { get; init; }

    /// <summary>Bytes of the log in memory, rounded down to a power of two. At least 2 MiB.</summary>
    public required long MemoryBytes { get; init; }

    public ILogger? Logger { get; init; }

    /// <summary>As <see cref="DirectDeviceOptions.OnBuffered"/>.</summary>
    public Action<string>? OnBuffered { get; init; }

    /// <summary>As <see cref="DirectDeviceOptions.IsBuffered"/>.</summary>
    public bool IsBuffered { get; init; }

    /// <summary>Where its device counts, whichever life of the log it belongs to.</summary>
    public DeviceFigures Figures { get; } = new();

    public Action<string>? FaultPoint { get; init; }

    /// <summary>A page is the unit of memory, and must hold the largest record.</summary>
    public static long PageBytes => 256 * 1024;

    /// <summary>A segment is the unit in which space is given back: a sixteenth of the limit.</summary>
    public long SegmentBytes => (long)BitOperations.RoundUpToPowerOf2((ulong)(LimitBytes / 16) + 1) / 2;

    /// <summary>The log's files may take so many segments; one more is for what is written while the oldest is given up, and a segment for the commit record.</summary>
    public long LogBytes => LimitBytes - (2 * SegmentBytes);

    /// <summary>Bytes of the hash index: 8 per block of 8 KiB, twice over, so that chains stay short.</summary>
    public long IndexBytes => Math.Max(64 * 1024, (long)BitOperations.RoundUpToPowerOf2((ulong)(LimitBytes / 512)));

    public BlockStoreOptions Validated()
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(LimitBytes, 16 << 20);
        ArgumentOutOfRangeException.ThrowIfLessThan(MemoryBytes, 2 << 20);
        return this;
    }
}
