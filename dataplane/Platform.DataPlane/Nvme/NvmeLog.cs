using Microsoft.Extensions.Logging;

namespace Platform.DataPlane.Nvme;

/// <summary>Log messages of the NVMe tier. Event ids 3000 to 3099.</summary>
internal static partial class NvmeLog
{
    [LoggerMessage(3000, LogLevel.Warning, "Direct I/O is refused for {Path}: the tier reads and writes through the page cache, which costs memory and time. Put the tier on a local file system to avoid that.")]
    public static partial void DirectIoRefused(ILogger logger, string path);

    [LoggerMessage(3001, LogLevel.Information, "NVMe tier {Folder}: {Blobs} blobs, {UsedBytes} of {LimitBytes} bytes; {Orphans} files without a record removed")]
    public static partial void Opened(ILogger logger, string folder, int blobs, long usedBytes, long limitBytes, int orphans);

    [LoggerMessage(3002, LogLevel.Information, "Blob {Key} sealed: {LengthBytes} bytes")]
    public static partial void Sealed(ILogger logger, string key, long lengthBytes);

    [LoggerMessage(3003, LogLevel.Information, "Blob {Key} evicted: {LengthBytes} bytes, {Reason}")]
    public static partial void Evicted(ILogger logger, string key, long lengthBytes, string reason);

    [LoggerMessage(3004, LogLevel.Error, "Blob {Key} is damaged at offset {Offset} of {Path}: checksum {Found:x8}, recorded {Expected:x8}; the chunk is dropped")]
    public static partial void ChunkDamaged(ILogger logger, string key, long offset, string path, uint found, uint expected);

    [LoggerMessage(3005, LogLevel.Warning, "Blob {Key}: progress could not be recorded; a restart fetches its chunks again: {Message}")]
    public static partial void ProgressNotRecorded(ILogger logger, string key, string message);

    [LoggerMessage(3007, LogLevel.Information, "Blob {Key} is copied to object {ObjectKey}, ETag {ETag}")]
    public static partial void Replicated(ILogger logger, string key, string objectKey, string etag);

    [LoggerMessage(3008, LogLevel.Warning, "Blob {Key} could not be copied to object {ObjectKey} (try {Attempt}); it stays an only copy, and is tried again: {Message}")]
    public static partial void UploadFailed(ILogger logger, string key, string objectKey, int attempt, string message);

    [LoggerMessage(3009, LogLevel.Error, "The catalog of the tier is damaged: {Message} {Salvaged} of its records before the damage are kept; the damaged catalog is at {Path}. Blobs without a record are moved to {Lost}: they are fetched again when asked for, and what was an only copy can be looked for there.")]
    public static partial void CatalogDamaged(ILogger logger, string message, int salvaged, string path, string lost);

    [LoggerMessage(3012, LogLevel.Warning, "{Path} of the removed blob {Key} could not be deleted; it stays counted, and is tried again when room is needed: {Message}")]
    public static partial void NotDeleted(ILogger logger, string path, string key, string message);

    [LoggerMessage(3013, LogLevel.Warning, "The upload of object {ObjectKey}, whose blob was removed, could not be aborted; it is tried again: {Message}")]
    public static partial void UploadNotAborted(ILogger logger, string objectKey, string message);

    [LoggerMessage(3006, LogLevel.Warning, "Blob {Key} is dropped: {Reason}")]
    public static partial void Dropped(ILogger logger, string key, string reason);

    [LoggerMessage(3010, LogLevel.Error, "The block store in {Folder} is dropped, and starts empty; what it held is computed again: {Fault}")]
    public static partial void BlocksDropped(ILogger logger, string folder, string fault);

    [LoggerMessage(3011, LogLevel.Error, "Block {Key} is damaged: '{Path}', record at offset {Offset}; it is dropped, and computed again when it is asked for")]
    public static partial void BlockDamaged(ILogger logger, string key, string path, long offset);

    [LoggerMessage(3014, LogLevel.Warning, "The device of the block store in {Folder} failed: its log is opened again as of what is durable")]
    public static partial void BlocksOpenedAgain(ILogger logger, string folder);
}
