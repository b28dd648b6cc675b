using FASTER.core;
using Platform.DataPlane.HostMemory;

namespace Platform.DataPlane.Nvme.Io;

/// <summary>The tier's block device over files of one folder, past the page cache: FASTER's device for its logs (segments), and the device of bulk files.</summary>
/// <remarks>
/// <para>Positional reads and writes from any number of threads. A completed write is on the device, not yet durable; <see cref="Sync"/> makes all segments durable,
/// and <see cref="DirectFile.SyncAsync"/> one bulk file. Whoever reports something as durable syncs first: for FASTER's logs that is <c>CommitRecord</c>, once per group commit.</para>
/// <para>Where the file system refuses direct I/O, or wants more than 4096 bytes of alignment, files are buffered instead; that shows in <see cref="DeviceFigures.IsDirect"/>.</para>
/// <para>FASTER gets a failure as its error number, or not at all (<see cref="DirectDeviceOptions.KeepsFailures"/>); it is kept whole in <see cref="Failure"/> or <see cref="ReadFailure"/>.</para>
/// </remarks>
internal sealed class DirectDevice : StorageDeviceBase
{
    private readonly DirectDeviceOptions _options;
    private readonly SegmentFiles _segments;
    private readonly IoThreads _threads = new();
    private volatile Exception? _failure;
    private volatile Exception? _readFailure;
    private long _readFailures;

    public DirectDevice(DirectDeviceOptions options)
        : base(Path.Combine(options.Folder, options.Prefix), AlignedMemory.AlignmentBytes, Devices.CAPACITY_UNSPECIFIED)
    {
        _options = options;
        _segments = new SegmentFiles(this, options);
    }

    /// <summary>What it has done so far.</summary>
    public DeviceFigures Figures => _options.Figures;

    /// <summary>Bytes that the segments' files take.</summary>
    public long SegmentFileBytes => _segments.LengthBytes;

    /// <summary>The first failure to write to a segment or to make it durable, if there was one.</summary>
    public Exception? Failure => _failure;

    /// <summary>The last failure to read a segment, if there was one.</summary>
    public Exception? ReadFailure => _readFailure;

    /// <summary>How often reading a segment has failed.</summary>
    public long ReadFailures => Interlocked.Read(ref _readFailures);

    /// <summary>False if its requests go to threads. Those of devices with fault points do, since a test may hold them up there.</summary>
    public bool UsesRing => !_options.WaitsOnThreads && _options.FaultPoint is null;

    public IoThreads Threads => _threads;

    /// <summary>Opens a bulk file for positional I/O.</summary>
    public DirectFile Open(string path, bool create) => Open(path, create ? FileMode.Create : FileMode.Open, FaultArea.Blob);

    public DirectFile Open(string path, FileMode mode, FaultArea area)
    {
        var handle = File.OpenHandle(path, mode, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        var direct = !_options.IsBuffered && Posix.DirectAlignment(path) <= AlignedMemory.AlignmentBytes && Posix.TrySetDirect(handle);
        if (!direct)
        {
            Figures.Buffered();
            _options.OnBuffered?.Invoke(path);
        }

        return new DirectFile(this, handle, path, direct, area);
    }

    /// <summary>Keeps the first failure, for whoever asks why FASTER got an error number.</summary>
    public void Fail(Exception cause) => Interlocked.CompareExchange(ref _failure, cause, null);

    /// <summary>Makes every completed write to segments durable, with one flush per touched file.</summary>
    /// <exception cref="IOException">The device refused.</exception>
    public void Sync() => _segments.Sync();

    /// <summary>Deletes the files of segments that a durable commit has given up.</summary>
    public void RemoveBefore(long segment) => _segments.RemoveBefore(segment);

    public override void WriteAsync(IntPtr sourceAddress, int segmentId, ulong destinationAddress, uint numBytesToWrite, DeviceIOCompletionCallback callback, object context) =>
        Start(segmentId, isWrite: true, sourceAddress, (long)destinationAddress, numBytesToWrite, callback, context);

    public override void ReadAsync(int segmentId, ulong sourceAddress, IntPtr destinationAddress, uint readLength, DeviceIOCompletionCallback callback, object context) =>
        Start(segmentId, isWrite: false, destinationAddress, (long)sourceAddress, readLength, callback, context);

    /// <summary>Does nothing: FASTER asks for this at a moment of its own, after it has reported the truncation as done. See <see cref="RemoveBefore"/>.</summary>
    public override void RemoveSegmentAsync(int segment, AsyncCallback callback, IAsyncResult result) => callback(result);

    public override void Dispose()
    {
        _segments.Dispose();
        _threads.Dispose();
    }

    /// <summary>Tells FASTER how a request ended. What lies beyond the end of the file reads as zeros: it was never written.</summary>
    internal unsafe void Tell(bool isWrite, nint memory, int lengthBytes, int doneBytes, Exception? failure, DeviceIOCompletionCallback callback, object context)
    {
        // Kept first: whoever goes on because of the callback can ask.
        if (failure is not null && isWrite)
        {
            Fail(failure);
        }
        else if (failure is not null)
        {
            _readFailure = failure;
            Interlocked.Increment(ref _readFailures);
        }

        if (!isWrite)
        {
            new Span<byte>((void*)memory, lengthBytes)[(failure is null ? doneBytes : 0)..].Clear();
        }

        var isSaid = failure is not null && !_options.KeepsFailures;
        callback(isSaid ? ErrorNumberOf(failure!) : 0, isSaid ? 0 : (uint)lengthBytes, context);
    }

    internal void Fault(string point) => _options.FaultPoint?.Invoke(point);

    internal void Begun(DirectFile file)
    {
        var added = false;
        file.Handle.DangerousAddRef(ref added);
        Figures.Begun();
    }

    internal void Ended(DirectFile file)
    {
        Figures.Ended();
        file.Handle.DangerousRelease();
    }

    private void Start(int segment, bool isWrite, nint memory, long offset, uint lengthBytes, DeviceIOCompletionCallback callback, object context)
    {
        try
        {
            var file = isWrite ? _segments.ForWrite(segment, offset + lengthBytes) : _segments.ForRead(segment);
            IoRequest.Start(file, isWrite, memory, (int)lengthBytes, offset, callback, context);
        }
        catch (Exception cause) when (cause is IOException or ObjectDisposedException or UnauthorizedAccessException)
        {
            // Not from within FASTER's call, and on the thread pool only if the device is closed: see IoRequest.End.
            void Tell() => this.Tell(isWrite, memory, (int)lengthBytes, 0, cause, callback, context);
            if (!_threads.TryRun(Tell))
            {
                ThreadPool.QueueUserWorkItem(_ => Tell());
            }
        }
    }

    private static uint ErrorNumberOf(Exception failure)
    {
        const int InputOutputError = 5;
        return failure.HResult is > 0 and < 4096 ? (uint)failure.HResult : InputOutputError;
    }
}
