using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.ObjectStorage;

/// <summary>How objects are kept as files: what tells two versions apart, and how a file gets into a place whose folders come and go.</summary>
internal static class ObjectFiles
{
    private static long _lastWriteTicks;

    /// <summary>Describes the object that a file is.</summary>
    public static ObjectInfo Describe(string key, long length, DateTime writtenUtc) =>
        new(key, length, $"{writtenUtc.Ticks:x}-{length:x}", new DateTimeOffset(writtenUtc, TimeSpan.Zero));

    /// <summary>A time for a file that no write of this process had before.</summary>
    public static DateTime NextWriteTime(TimeProvider time)
    {
        var now = time.GetUtcNow().Ticks;
        while (true)
        {
            var last = Interlocked.Read(ref _lastWriteTicks);
            var next = Math.Max(now, last + 1);
            if (Interlocked.CompareExchange(ref _lastWriteTicks, next, last) == last)
            {
                return new DateTime(next, DateTimeKind.Utc);
            }
        }
    }

    /// <summary>Renames an upload into place. A folder on the way may be deleted meanwhile by whoever deleted the last object in it; then it is made anew.</summary>
    public static void Place(string upload, string path)
    {
        const int Tries = 100;

        // What .NET makes of a folder that another made, and a third deleted, between its call to make it and its look at why that failed.
        const int AlreadyExists = 17;
        var folder = Path.GetDirectoryName(path)!;
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                CreateFolder(folder);
                if (Directory.Exists(path))
                {
                    TryDeleteEmpty(path);
                }

                File.Move(upload, path, overwrite: true);
                Posix.SyncFolder(folder);
                return;
            }
            catch (IOException cause) when (attempt < Tries && (IsAbsent(cause) || cause.HResult == AlreadyExists))
            {
                // Once more.
            }
        }
    }

    /// <summary>True for ENOENT (2), which .NET has types for and <see cref="Posix"/> reports as the error number.</summary>
    public static bool IsAbsent(IOException cause) => cause is DirectoryNotFoundException or FileNotFoundException || cause.HResult == 2;

    /// <summary>Deletes a folder with no files in it.</summary>
    /// <returns>False if there are files in it.</returns>
    public static bool TryDeleteEmpty(string folder)
    {
        try
        {
            foreach (var inner in Directory.GetDirectories(folder))
            {
                TryDeleteEmpty(inner);
            }

            Directory.Delete(folder);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    /// <summary>Creates a folder and makes each new name on the way durable.</summary>
    private static void CreateFolder(string folder)
    {
        if (!Directory.Exists(folder))
        {
            var parent = Path.GetDirectoryName(folder)!;
            CreateFolder(parent);
            Directory.CreateDirectory(folder);
            Posix.SyncFolder(parent);
        }
    }
}
