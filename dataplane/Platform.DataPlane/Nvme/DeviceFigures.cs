namespace Platform.DataPlane.Nvme;

/// <summary>What one device of a tier has done since the tier was opened, also where a failure made it open its files anew.</summary>
/// <remarks>Any number of threads at once. Each figure is exact by itself; two of them may be read at slightly different times.</remarks>
public sealed class DeviceFigures
{
    private long _bytesRead;
    private long _bytesWritten;
    private long _reads;
    private long _underWay;
    private volatile bool _isBuffered;

    /// <summary>False once a file had to be opened buffered: the file system refused direct I/O.</summary>
    public bool IsDirect => !_isBuffered;

    /// <summary>Bytes read from files, alignment included.</summary>
    public long BytesRead => Interlocked.Read(ref _bytesRead);

    /// <summary>Reads, as the kernel was asked for them.</summary>
    public long Reads => Interlocked.Read(ref _reads);

    /// <summary>Bytes written to files, alignment included.</summary>
    public long BytesWritten => Interlocked.Read(ref _bytesWritten);

    /// <summary>Reads and writes under way now.</summary>
    public long QueueDepth => Interlocked.Read(ref _underWay);

    internal void Begun() => Interlocked.Increment(ref _underWay);

    internal void Ended() => Interlocked.Decrement(ref _underWay);

    internal void Read(int bytes)
    {
        Interlocked.Increment(ref _reads);
        Interlocked.Add(ref _bytesRead, bytes);
    }

    internal void Written(int bytes) => Interlocked.Add(ref _bytesWritten, bytes);

    internal void Buffered() => _isBuffered = true;
}
