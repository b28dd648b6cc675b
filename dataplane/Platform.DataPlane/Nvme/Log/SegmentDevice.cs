using System.Collections.Concurrent;
using FASTER.core;
using Microsoft.Win32.SafeHandles;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.Nvme.Log;

/// <summary>FASTER's device over plain files, one per segment: <c>log.0</c>, <c>log.1</c> ...</summary>
/// <remarks>
/// The device that FASTER brings for Linux opens its files with O_SYNC, so each page costs a flush of its own. Here a write is only a write, and
/// <see cref="Sync"/> makes all writes before it durable with one flush per touched file; <see cref="CommitRecord"/> calls it once per group commit.
/// A failure goes to FASTER as an error code and is kept in <see cref="Fault"/>, because FASTER keeps only the code.
/// </remarks>
internal sealed class SegmentDevice : StorageDeviceBase
{
    // Writes are rounded to this. Small, because a commit of one small entry writes one sector.
    private const uint SectorBytes = 512;

    private readonly string _folder;
    private readonly Action<string>? _faultPoint;
    private readonly ConcurrentDictionary<int, SafeFileHandle> _open = new();
    private readonly ConcurrentDictionary<int, byte> _dirty = new();
    private volatile bool _created;
    private volatile Exception? _fault;
    private long _removedBefore;

    public SegmentDevice(string folder, long firstSegment, Action<string>? faultPoint)
        : base(Path.Combine(folder, "log"), SectorBytes, Devices.CAPACITY_UNSPECIFIED)
    {
        _folder = folder;
        _removedBefore = firstSegment;
        _faultPoint = faultPoint;
    }

    /// <summary>The first failure, if there was one.</summary>
    public Exception? Fault => _fault;

    /// <summary>Path of a segment's file.</summary>
    public static string PathOf(string folder, long segment) => Path.Combine(folder, $"log.{segment}");

    /// <summary>Keeps the first failure.</summary>
    public void Fail(Exception cause) => _fault ??= cause;

    /// <summary>Makes every completed write durable.</summary>
    /// <exception cref="IOException">The device refused.</exception>
    public void Sync()
    {
        _faultPoint?.Invoke("log.sync");
        foreach (var segment in _dirty.Keys)
        {
            // The mark goes before the flush: a write that comes in between sets it again.
            if (_dirty.TryRemove(segment, out _) && _open.TryGetValue(segment, out var file))
            {
                Posix.SyncData(file);
            }
        }

        if (_created)
        {
            _created = false;
            Posix.SyncFolder(_folder);
        }
    }

    public override unsafe void WriteAsync(IntPtr sourceAddress, int segmentId, ulong destinationAddress, uint numBytesToWrite, DeviceIOCompletionCallback callback, object context) =>
        ThreadPool.UnsafeQueueUserWorkItem(
            _ =>
            {
                uint error = 0;
                try
                {
                    _faultPoint?.Invoke("log.write");
                    var file = FileOf(segmentId, FileMode.OpenOrCreate);
                    _dirty[segmentId] = 1;
                    RandomAccess.Write(file, new ReadOnlySpan<byte>((void*)sourceAddress, (int)numBytesToWrite), (long)destinationAddress);
                }
                catch (Exception cause) when (cause is IOException or ObjectDisposedException or UnauthorizedAccessException)
                {
                    Fail(cause);
                    error = uint.MaxValue;
                }

                callback(error, error == 0 ? numBytesToWrite : 0, context);
            },
            null);

    public override unsafe void ReadAsync(int segmentId, ulong sourceAddress, IntPtr destinationAddress, uint readLength, DeviceIOCompletionCallback callback, object context) =>
        ThreadPool.UnsafeQueueUserWorkItem(
            _ =>
            {
                uint error = 0;
                try
                {
                    var target = new Span<byte>((void*)destinationAddress, (int)readLength);
                    var file = FileOf(segmentId, FileMode.Open);
                    var offset = (long)sourceAddress;
                    while (target.Length > 0 && RandomAccess.Read(file, target, offset) is > 0 and var count)
                    {
                        target = target[count..];
                        offset += count;
                    }

                    // FASTER reads whole pages; what lies beyond the end of the file was never written.
                    target.Clear();
                }
                catch (Exception cause) when (cause is IOException or ObjectDisposedException or UnauthorizedAccessException)
                {
                    error = uint.MaxValue;
                }

                callback(error, error == 0 ? readLength : 0, context);
            },
            null);

    /// <summary>Does nothing: FASTER asks for this at a moment of its own, after it has reported the truncation as done. See <see cref="RemoveBefore"/>.</summary>
    public override void RemoveSegmentAsync(int segment, AsyncCallback callback, IAsyncResult result) => callback(result);

    /// <summary>Deletes the files of segments that a durable commit has given up.</summary>
    public void RemoveBefore(long segment)
    {
        for (; _removedBefore < segment; _removedBefore++)
        {
            _dirty.TryRemove((int)_removedBefore, out _);
            if (_open.TryRemove((int)_removedBefore, out var file))
            {
                file.Dispose();
            }

            File.Delete(PathOf(_folder, _removedBefore));
        }
    }

    /// <summary>Deletes segment files that lie wholly outside the committed addresses: what a crash left between a write and its commit, or between a truncation and its deletions.</summary>
    public static void RemoveOrphans(string folder, long firstSegment, long lastSegment)
    {
        foreach (var path in Directory.EnumerateFiles(folder, "log.*"))
        {
            if (long.TryParse(Path.GetExtension(path).AsSpan(1), out var segment) && (segment < firstSegment || segment > lastSegment))
            {
                File.Delete(path);
            }
        }
    }

    public override void Dispose()
    {
        foreach (var segment in _open.Keys)
        {
            if (_open.TryRemove(segment, out var file))
            {
                file.Dispose();
            }
        }
    }

    private SafeFileHandle FileOf(int segment, FileMode mode)
    {
        if (_open.TryGetValue(segment, out var file))
        {
            return file;
        }

        lock (_open)
        {
            if (_open.TryGetValue(segment, out file))
            {
                return file;
            }

            var path = PathOf(_folder, segment);
            _created |= !File.Exists(path);
            file = File.OpenHandle(path, mode, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            _open[segment] = file;
            return file;
        }
    }
}
