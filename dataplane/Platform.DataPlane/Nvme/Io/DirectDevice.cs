using Microsoft.Extensions.Logging;

namespace Platform.DataPlane.Nvme.Io;

/// <summary>Bulk I/O of one folder: files opened past the page cache, and the threads that wait for the disk.</summary>
/// <remarks>Where the file system refuses direct I/O the files are buffered instead; that is said once in the log and shows in <see cref="IsDirect"/>.</remarks>
internal sealed class DirectDevice : IDisposable
{
    // Enough to keep a drive's queue busy with chunks of megabytes, which is where bulk throughput saturates.
    private const int ThreadCount = 8;

    private readonly IoThreads _threads = new("tier", ThreadCount);
    private readonly ILogger _logger;
    private readonly Action<string>? _faultPoint;
    private int _saidBuffered;
    private long _bytesRead;
    private long _bytesWritten;
    private long _reads;

    public DirectDevice(ILogger logger, Action<string>? faultPoint)
    {
        _logger = logger;
        _faultPoint = faultPoint;
    }

    /// <summary>False once a file had to be opened buffered.</summary>
    public bool IsDirect => Volatile.Read(ref _saidBuffered) == 0;

    /// <summary>Bytes read from files, alignment included.</summary>
    public long BytesRead => Interlocked.Read(ref _bytesRead);

    /// <summary>Read calls.</summary>
    public long Reads => Interlocked.Read(ref _reads);

    /// <summary>Bytes written to files, alignment included.</summary>
    public long BytesWritten => Interlocked.Read(ref _bytesWritten);

    /// <summary>Opens a file for positional I/O.</summary>
    public DirectFile Open(string path, bool create)
    {
        var handle = File.OpenHandle(path, create ? FileMode.Create : FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        var direct = Posix.TrySetDirect(handle);
        if (!direct && Interlocked.Exchange(ref _saidBuffered, 1) == 0)
        {
            NvmeLog.DirectIoRefused(_logger, path);
        }

        return new DirectFile(this, handle, path);
    }

    internal Task RunAsync(Action work) => _threads.RunAsync(work);

    internal void Fault(string point) => _faultPoint?.Invoke(point);

    internal void CountRead(long bytes)
    {
        Interlocked.Increment(ref _reads);
        Interlocked.Add(ref _bytesRead, bytes);
    }

    internal void CountWrite(long bytes) => Interlocked.Add(ref _bytesWritten, bytes);

    public void Dispose() => _threads.Dispose();
}
