using System.Collections.Concurrent;

namespace Platform.DataPlane.Nvme.Io;

/// <summary>The files of a device's segments: <c>log.0</c>, <c>log.1</c> ... Opened when first touched, synced together, deleted from the front.</summary>
internal sealed class SegmentFiles(DirectDevice device, DirectDeviceOptions options) : IDisposable
{
    private readonly ConcurrentDictionary<long, DirectFile> _open = new();
    private readonly ConcurrentDictionary<long, ZeroedTail> _tails = new();
    private readonly ConcurrentDictionary<long, byte> _dirty = new();
    private volatile bool _created;
    private long _removedBefore = options.FirstSegment;

    /// <summary>Bytes of all segment files.</summary>
    public long LengthBytes => new DirectoryInfo(options.Folder).EnumerateFiles(options.Prefix + ".*").Sum(file => file.Length);

    /// <summary>Path of a segment's file.</summary>
    public static string PathOf(string folder, long segment, string prefix = "log") => Path.Combine(folder, $"{prefix}.{segment}");

    /// <summary>Deletes segment files that lie wholly outside the committed addresses: what a crash left between a write and its commit, or between a truncation and its deletions.</summary>
    public static void RemoveOrphans(string folder, long firstSegment, long lastSegment, string prefix = "log")
    {
        foreach (var path in Directory.EnumerateFiles(folder, prefix + ".*"))
        {
            if (long.TryParse(Path.GetExtension(path).AsSpan(1), out var segment) && (segment < firstSegment || segment > lastSegment))
            {
                File.Delete(path);
            }
        }
    }

    /// <summary>Makes everything in some segments' files durable, before a device has them open.</summary>
    public static void Sync(string folder, long firstSegment, long lastSegment, string prefix = "log")
    {
        for (var segment = firstSegment; segment <= lastSegment; segment++)
        {
            using var file = File.OpenHandle(PathOf(folder, segment, prefix), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            Posix.SyncData(file);
        }

        Posix.SyncFolder(folder);
    }

    /// <summary>The file of a segment that is to be read.</summary>
    public DirectFile ForRead(long segment) => _open.TryGetValue(segment, out var file) ? file : Open(segment, isWrite: false);

    /// <summary>The file of a segment that is to be written up to an offset; made if it is not there.</summary>
    public DirectFile ForWrite(long segment, long end)
    {
        var file = _open.TryGetValue(segment, out var opened) ? opened : Open(segment, isWrite: true);
        if (options.ZeroesAhead)
        {
            _tails.GetOrAdd(segment, (_, target) => new ZeroedTail(target, (int)device.SegmentSize), file).Cover(end);
        }

        _dirty[segment] = 1;
        return file;
    }

    /// <summary>Makes every completed write durable.</summary>
    public void Sync()
    {
        device.Fault(options.Area.Sync);
        foreach (var segment in _dirty.Keys)
        {
            // The mark goes before the flush: a write that comes in between sets it again.
            if (_dirty.TryRemove(segment, out _) && _open.TryGetValue(segment, out var file))
            {
                Posix.SyncData(file.Handle);
            }
        }

        if (_created)
        {
            _created = false;
            Posix.SyncFolder(options.Folder);
        }
    }

    /// <summary>Deletes the files of segments before one.</summary>
    public void RemoveBefore(long segment)
    {
        for (; _removedBefore < segment; _removedBefore++)
        {
            _dirty.TryRemove(_removedBefore, out _);
            _tails.TryRemove(_removedBefore, out _);
            if (_open.TryRemove(_removedBefore, out var file))
            {
                file.Dispose();
            }

            File.Delete(PathOf(options.Folder, _removedBefore, options.Prefix));
        }
    }

    public void Dispose()
    {
        foreach (var segment in _open.Keys)
        {
            if (_open.TryRemove(segment, out var file))
            {
                file.Dispose();
            }
        }
    }

    private DirectFile Open(long segment, bool isWrite)
    {
        lock (_open)
        {
            if (_open.TryGetValue(segment, out var file))
            {
                return file;
            }

            var path = PathOf(options.Folder, segment, options.Prefix);
            var isNew = !File.Exists(path);
            file = device.Open(path, isWrite ? FileMode.OpenOrCreate : FileMode.Open, options.Area);
            if (isNew && options.Preallocates)
            {
                try
                {
                    file.Allocate(device.SegmentSize);
                }
                catch
                {
                    file.Dispose();
                    File.Delete(path);
                    throw;
                }
            }

            _created |= isNew;
            _open[segment] = file;
            return file;
        }
    }
}
