namespace Platform.DataPlane.Nvme.Io;

/// <summary>Settings of a <see cref="DirectDevice"/>.</summary>
internal sealed record DirectDeviceOptions
{
    /// <summary>Where its segments lie.</summary>
    public required string Folder { get; init; }

    /// <summary>A segment's file is <c>{Prefix}.{number}</c>.</summary>
    public string Prefix { get; init; } = "log";

    /// <summary>Names the fault points of the segments; bulk files have their own.</summary>
    public FaultArea Area { get; init; } = FaultArea.Log;

    /// <summary>The first segment that exists.</summary>
    public long FirstSegment { get; init; }

    /// <summary>Reserves a segment's space when it is first written to, so that a write into it cannot run out of space.</summary>
    public bool Preallocates { get; init; }

    /// <summary>Keeps zeros on disk ahead of what is written to a segment, see <see cref="ZeroedTail"/>. For logs that are synced after every few KiB.</summary>
    public bool ZeroesAhead { get; init; }

    /// <summary>Reads and writes wait on the device's threads, not in the kernel's queue: a write that is synced right after it needs one hand-over between threads less.</summary>
    public bool WaitsOnThreads { get; init; }

    /// <summary>
    /// Keeps failures from FASTER: to it a failed write is done, and a failed read gives zeros. For a FasterKV, which would wait without end for a page that could not be written, and takes what is
    /// in the buffer of a failed read for a record. Its owner asks <see cref="DirectDevice.Failure"/> and <see cref="DirectDevice.ReadFailures"/> instead.
    /// </summary>
    public bool KeepsFailures { get; init; }

    /// <summary>Goes through the page cache as if the file system had refused direct I/O.</summary>
    public bool IsBuffered { get; init; }

    /// <summary>Hears the path of each file that had to be opened buffered.</summary>
    public Action<string>? OnBuffered { get; init; }

    /// <summary>Where it counts. A device that takes the place of one that failed goes on with the same.</summary>
    public DeviceFigures Figures { get; init; } = new();

    /// <summary>Called before I/O with the point's name, see <see cref="FaultArea"/>.</summary>
    public Action<string>? FaultPoint { get; init; }
}
