using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.ObjectStorage;

/// <summary>Object storage in a directory: the key is the path below it. Several processes may use one directory at once.</summary>
/// <remarks>
/// An object is a plain file. Writes go to a file in <c>.uploads~/</c> (no key can name it), are synced and renamed into place. The ETag is the file's time and length;
/// each write sets a time of its own in steps of 100 ns, so a rewrite with the same length is told apart. Unlike S3, <c>a</c> and <c>a/b</c> cannot both be objects.
/// Uploads that a killed process left, and those in parts that nobody went on with, are removed after a day by the next who opens the directory.
/// </remarks>
public sealed class DirectoryObjectStorage : IObjectStorage
{
    private const string UploadFolder = ".uploads~";
    private const int LongestName = 255;
    private static readonly TimeSpan UploadLifetime = TimeSpan.FromDays(1);

    private readonly string _root;
    private readonly string _uploads;
    private readonly KeyLocks _locks;
    private readonly TimeProvider _time;

    /// <summary>Uses a directory; it is created if absent.</summary>
    public DirectoryObjectStorage(string root, TimeProvider? time = null)
    {
        _root = Path.GetFullPath(root);
        _uploads = Path.Combine(_root, UploadFolder);
        _locks = new KeyLocks(Path.Combine(_uploads, "locks"));
        _time = time ?? TimeProvider.System;
        Uploads = new DirectoryUploads(this);
        Directory.CreateDirectory(_uploads);
        RemoveOldUploads();
    }

    /// <inheritdoc/>
    public string Name => _root;

    /// <inheritdoc/>
    public IObjectUploads? Uploads { get; }

    /// <inheritdoc/>
    public Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken = default)
    {
        ObjectKey.ThrowIfInvalid(key);
        var file = new FileInfo(PathOf(key));
        return Task.FromResult(file.Exists ? ObjectFiles.Describe(key, file.Length, file.LastWriteTimeUtc) : null);
    }

    /// <inheritdoc/>
    public async Task ReadAsync(string key, long offset, Memory<byte> target, string? ifMatch = null, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        using var file = Open(key, ifMatch, out var info);
        if (offset + target.Length > info.LengthBytes)
        {
            throw new StorageException(StorageError.Truncated, $"Object '{key}' in {_root} has {info.LengthBytes} bytes; a read of {target.Length} from {offset} goes beyond its end. Publish it again.");
        }

        try
        {
            while (!target.IsEmpty)
            {
                var count = await RandomAccess.ReadAsync(file, target, offset, cancellationToken);
                if (count == 0)
                {
                    throw new StorageException(StorageError.Truncated, $"Object '{key}' in {_root} ended at {offset} while it was read; it had {info.LengthBytes} bytes before. Somebody changed the file in place; publish it again.");
                }

                target = target[count..];
                offset += count;
            }
        }
        catch (IOException cause)
        {
            throw StorageException.From(cause, $"Object '{key}' in {_root} cannot be read");
        }
    }

    /// <inheritdoc/>
    public Task<Stream> OpenReadAsync(string key, string? ifMatch = null, CancellationToken cancellationToken = default) =>
        Task.FromResult<Stream>(new FileStream(Open(key, ifMatch, out _), FileAccess.Read, bufferSize: 0));

    /// <inheritdoc/>
    public async Task<string> PutAsync(string key, Stream content, PutCondition condition = default, CancellationToken cancellationToken = default)
    {
        ObjectKey.ThrowIfInvalid(key);
        var upload = Path.Combine(_uploads, Guid.NewGuid().ToString("n"));
        try
        {
            long length;
            await using (var file = new FileStream(upload, FileMode.CreateNew, FileAccess.Write, FileShare.Read))
            {
                await content.CopyToAsync(file, cancellationToken);
                length = file.Length;
                await file.FlushAsync(cancellationToken);
                Finish(file.SafeFileHandle);
            }

            return await PlaceAsync(upload, key, length, condition, cancellationToken);
        }
        catch (Exception cause) when (cause is (IOException or UnauthorizedAccessException) and not StorageException)
        {
            throw CannotWrite(key, cause);
        }
        finally
        {
            File.Delete(upload);
        }
    }

    /// <inheritdoc/>
    public async Task<string> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition = default, CancellationToken cancellationToken = default)
    {
        using var stream = new MemoryReadStream(content);
        return await PutAsync(key, stream, condition, cancellationToken);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await Task.CompletedTask;
        var objects = new List<ObjectInfo>();

        // Only the folder that the prefix names can hold matches. Nothing is built from a prefix that is no beginning of a key.
        var folderKey = prefix.LastIndexOf('/') is var slash && slash > 0 ? prefix[..slash] : "";
        var folder = new DirectoryInfo(folderKey.Length == 0 ? _root : ObjectKey.IsValid(folderKey) ? PathOf(folderKey) : _uploads + "/none");
        if (folder.Exists)
        {
            foreach (var file in folder.EnumerateFiles("*", SearchOption.AllDirectories))
            {
                cancellationToken.ThrowIfCancellationRequested();
                var key = Path.GetRelativePath(_root, file.FullName).Replace(Path.DirectorySeparatorChar, '/');
                if (key.StartsWith(prefix, StringComparison.Ordinal) && ObjectKey.IsValid(key) && file.Exists)
                {
                    objects.Add(ObjectFiles.Describe(key, file.Length, file.LastWriteTimeUtc));
                }
            }
        }

        foreach (var item in objects.OrderBy(item => item.Key, StringComparer.Ordinal))
        {
            yield return item;
        }
    }

    /// <inheritdoc/>
    public async Task<bool> DeleteAsync(string key, CancellationToken cancellationToken = default)
    {
        ObjectKey.ThrowIfInvalid(key);
        using (await _locks.TakeAsync(key, cancellationToken))
        {
            var path = PathOf(key);
            if (!File.Exists(path))
            {
                return false;
            }

            File.Delete(path);
            var folder = Path.GetDirectoryName(path)!;
            try
            {
                Posix.SyncFolder(folder);
            }
            catch (IOException cause) when (ObjectFiles.IsAbsent(cause))
            {
                // Whoever deleted the last object in it deleted the folder too.
            }

            // A folder that holds nothing must not stand in the way of an object with its name.
            while (folder.Length > _root.Length && ObjectFiles.TryDeleteEmpty(folder))
            {
                folder = Path.GetDirectoryName(folder)!;
            }

            return true;
        }
    }

    /// <summary>Makes a whole and durable file the object of a key.</summary>
    /// <returns>Its ETag.</returns>
    internal async Task<string> PlaceAsync(string file, string key, long lengthBytes, PutCondition condition, CancellationToken cancellationToken)
    {
        using (await _locks.TakeAsync(key, cancellationToken))
        {
            await CheckAsync(key, condition, cancellationToken);
            var path = PathOf(key);
            ObjectFiles.Place(file, path);
            return ObjectFiles.Describe(key, lengthBytes, File.GetLastWriteTimeUtc(path)).ETag;
        }
    }

    /// <summary>Gives a file a time that no other write has, and makes it durable.</summary>
    internal void Finish(SafeFileHandle file)
    {
        File.SetLastWriteTimeUtc(file, ObjectFiles.NextWriteTime(_time));
        RandomAccess.FlushToDisk(file);
    }

    /// <summary>Says why an object could not be written.</summary>
    internal StorageException CannotWrite(string key, Exception cause) =>
        key.Split('/').Any(segment => segment.Length > LongestName)
            ? new StorageException(StorageError.InvalidKey, $"Object '{key}' cannot be written to {_root}: a directory takes {LongestName} characters between two slashes at most.", cause)
            : Directory.Exists(PathOf(key))
            ? new StorageException(StorageError.InvalidKey, $"Object '{key}' cannot be written to {_root}: there are objects below '{key}/'. A directory cannot hold both.", cause)
            : ObjectAbove(key) is { } above
            ? new StorageException(StorageError.InvalidKey, $"Object '{key}' cannot be written to {_root}: '{above}' is an object. A directory cannot hold both.", cause)
            : StorageException.From(cause, $"Object '{key}' cannot be written to {_root}");

    /// <summary>Where the bytes of an upload lie until it is complete.</summary>
    internal string UploadPath(string name) => Path.Combine(_uploads, name);

    /// <summary>The object whose name a key would need as a folder, if there is one.</summary>
    private string? ObjectAbove(string key)
    {
        for (var slash = key.LastIndexOf('/'); slash > 0; slash = key.LastIndexOf('/', slash - 1))
        {
            if (File.Exists(PathOf(key[..slash])))
            {
                return key[..slash];
            }
        }

        return null;
    }

    private string PathOf(string key) => Path.Combine(_root, key);

    private SafeFileHandle Open(string key, string? ifMatch, out ObjectInfo info)
    {
        ObjectKey.ThrowIfInvalid(key);
        SafeFileHandle file;
        try
        {
            file = File.OpenHandle(PathOf(key), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            // To open a folder is not permitted.
            throw cause is FileNotFoundException or DirectoryNotFoundException or PathTooLongException || Directory.Exists(PathOf(key))
                ? new StorageException(StorageError.NotFound, $"There is no object '{key}' in {_root}. Publish it.", cause)
                : StorageException.From(cause, $"Object '{key}' in {_root} cannot be opened");
        }

        info = ObjectFiles.Describe(key, RandomAccess.GetLength(file), File.GetLastWriteTimeUtc(file));
        if (ifMatch is not null && ifMatch != info.ETag)
        {
            file.Dispose();
            throw Changed(key, ifMatch, info.ETag);
        }

        return file;
    }

    private async Task CheckAsync(string key, PutCondition condition, CancellationToken cancellationToken)
    {
        if (condition == default)
        {
            return;
        }

        var found = (await HeadAsync(key, cancellationToken))?.ETag;
        if (condition.MustBeAbsent && found is not null)
        {
            throw Changed(key, "no object", found);
        }

        if (condition.MustMatch is not null && condition.MustMatch != found)
        {
            throw Changed(key, condition.MustMatch, found ?? "no object");
        }
    }

    private StorageException Changed(string key, string expected, string found) =>
        new(StorageError.Changed, $"Object '{key}' in {_root}: found {found}, expected {expected}. It was written meanwhile; read it again.");

    private void RemoveOldUploads()
    {
        foreach (var file in new DirectoryInfo(_uploads).EnumerateFiles())
        {
            if (_time.GetUtcNow().UtcDateTime - file.LastWriteTimeUtc > UploadLifetime)
            {
                file.Delete();
            }
        }
    }
}
