namespace Platform.DataPlane;

/// <summary>Settings of a <see cref="DurableStore"/>.</summary>
public sealed record DurableStoreOptions
{
    /// <summary>The store's own folder; created if absent. One process at a time.</summary>
    public required string Folder { get; init; }

    /// <summary>Most bytes of keys and values together, all held in memory. Default 256 MiB. A commit that would go beyond is refused with <see cref="StorageError.Full"/>.</summary>
    public long LimitBytes { get; init; } = 256L * 1024 * 1024;

    /// <summary>Largest commit, bytes of its keys and values. Default 64 MiB.</summary>
    public int MaxCommitBytes { get; init; } = 64 * 1024 * 1024;

    /// <summary>The log is rewritten once it holds more than this and more than three times the live bytes. Default 2 MiB.</summary>
    public long CompactionFloorBytes { get; init; } = 2 * 1024 * 1024;

    /// <summary>Called at named points before I/O; a test throws from it or ends the process in it.</summary>
    internal Action<string>? FaultPoint { get; init; }

    /// <summary>Hears the path of each file for which the file system refused direct I/O.</summary>
    internal Action<string>? OnBuffered { get; init; }

    /// <summary>Goes through the page cache as if the file system had refused direct I/O.</summary>
    internal bool IsBuffered { get; init; }

    internal DurableStoreOptions Validated()
    {
        ArgumentException.ThrowIfNullOrEmpty(Folder);
        ArgumentOutOfRangeException.ThrowIfLessThan(LimitBytes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(MaxCommitBytes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(CompactionFloorBytes, 0);
        return this with { Folder = Path.GetFullPath(Folder) };
    }
}
