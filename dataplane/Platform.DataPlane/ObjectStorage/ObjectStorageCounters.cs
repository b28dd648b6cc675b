namespace Platform.DataPlane.ObjectStorage;

/// <summary>What really went over the line to object storage. Thread-safe.</summary>
public sealed class ObjectStorageCounters
{
    private long _bytesRead;
    private long _gets;
    private long _bytesWritten;
    private long _puts;

    /// <summary>All storage use of this process that went through a <see cref="CountingObjectStorage"/>.</summary>
    public static ObjectStorageCounters Process { get; } = new();

    /// <summary>Bytes of content received.</summary>
    public long BytesRead => Interlocked.Read(ref _bytesRead);

    /// <summary>Reads of content: ranged reads and opened streams.</summary>
    public long Gets => Interlocked.Read(ref _gets);

    /// <summary>Bytes of content sent by writes, and by parts of uploads, that succeeded.</summary>
    public long BytesWritten => Interlocked.Read(ref _bytesWritten);

    /// <summary>Writes that succeeded; of an upload in parts, its completion.</summary>
    public long Puts => Interlocked.Read(ref _puts);

    internal void AddGet() => Interlocked.Increment(ref _gets);

    internal void AddRead(long bytes) => Interlocked.Add(ref _bytesRead, bytes);

    internal void AddPart(long bytes) => Interlocked.Add(ref _bytesWritten, bytes);

    internal void AddPut(long bytes)
    {
        Interlocked.Increment(ref _puts);
        Interlocked.Add(ref _bytesWritten, bytes);
    }
}
