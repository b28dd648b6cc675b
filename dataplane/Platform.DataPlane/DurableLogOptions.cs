namespace Platform.DataPlane;

/// <summary>Settings of a <see cref="DurableLog"/>. Sizes are rounded down to a power of two; a log that exists keeps the page and segment size it was made with.</summary>
public sealed record DurableLogOptions
{
    /// <summary>The log's own folder; created if absent. One process at a time.</summary>
    public required string Folder { get; init; }

    /// <summary>Bytes of a page, the unit of memory and of a read from disk. Default 256 KiB, at least 4 KiB.</summary>
    public int PageBytes { get; init; } = 256 * 1024;

    /// <summary>Pages held in memory, at least 2. Default 4: with the default page, 1 MiB at most.</summary>
    public int MemoryPages { get; init; } = 4;

    /// <summary>Bytes of a segment file, the unit in which truncation gives space back. Default 8 MiB, at least a page.</summary>
    public int SegmentBytes { get; init; } = 8 * 1024 * 1024;

    /// <summary>Largest entry, bytes. Default 4 MiB. Entries larger than a page are stored in pieces.</summary>
    public int MaxEntryBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>Called at named points before I/O; a test throws from it or ends the process in it.</summary>
    internal Action<string>? FaultPoint { get; init; }

    /// <summary>Hears the path of each file for which the file system refused direct I/O.</summary>
    internal Action<string>? OnBuffered { get; init; }

    /// <summary>Goes through the page cache as if the file system had refused direct I/O.</summary>
    internal bool IsBuffered { get; init; }

    internal DurableLogOptions Validated()
    {
        ArgumentException.ThrowIfNullOrEmpty(Folder);
        ArgumentOutOfRangeException.ThrowIfLessThan(PageBytes, 4096);
        ArgumentOutOfRangeException.ThrowIfLessThan(MemoryPages, 2);
        ArgumentOutOfRangeException.ThrowIfLessThan(SegmentBytes, PageBytes);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxEntryBytes, 1);
        return this with { Folder = Path.GetFullPath(Folder) };
    }
}
