using System.Globalization;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.ObjectStorage;

/// <summary>Uploads in parts to a <see cref="DirectoryObjectStorage"/>: a file that grows by parts, and is renamed into place when it is whole. A part's tag is its CRC32C.</summary>
internal sealed class DirectoryUploads(DirectoryObjectStorage storage) : IObjectUploads
{
    public long PartBytes(long preferredBytes, long lengthBytes) => preferredBytes;

    public Task<string> StartAsync(string key, CancellationToken cancellationToken = default)
    {
        ObjectKey.ThrowIfInvalid(key);
        var id = Guid.NewGuid().ToString("n");
        try
        {
            File.OpenHandle(storage.UploadPath(id), FileMode.CreateNew, FileAccess.Write).Dispose();
            Posix.SyncFolder(Path.GetDirectoryName(storage.UploadPath(id))!);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw storage.CannotWrite(key, cause);
        }

        return Task.FromResult(id);
    }

    public async Task<string> PutPartAsync(string key, string uploadId, int number, long offset, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(number, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        var path = PathOf(key, uploadId);
        try
        {
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
            await RandomAccess.WriteAsync(file, content, offset, cancellationToken);
            RandomAccess.FlushToDisk(file);
            return Checksum.Crc32C(content.Span).ToString("x8", CultureInfo.InvariantCulture);
        }
        catch (FileNotFoundException cause)
        {
            throw Gone(key, uploadId, cause);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw storage.CannotWrite(key, cause);
        }
    }

    public async Task<string> CompleteAsync(string key, string uploadId, long lengthBytes, IReadOnlyList<string> tags, CancellationToken cancellationToken = default)
    {
        var path = PathOf(key, uploadId);
        try
        {
            using (var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete))
            {
                if (RandomAccess.GetLength(file) is var length && length != lengthBytes)
                {
                    throw new StorageException(StorageError.NotFound, $"Upload '{uploadId}' of object '{key}' in {storage.Name} has {length} bytes, and should have {lengthBytes}: parts are missing. Begin it anew.");
                }

                storage.Finish(file);
            }

            return await storage.PlaceAsync(path, key, lengthBytes, default, cancellationToken);
        }
        catch (FileNotFoundException cause)
        {
            throw Gone(key, uploadId, cause);
        }
        catch (Exception cause) when (cause is (IOException or UnauthorizedAccessException) and not StorageException)
        {
            throw storage.CannotWrite(key, cause);
        }
    }

    public Task AbortAsync(string key, string uploadId, CancellationToken cancellationToken = default)
    {
        try
        {
            File.Delete(PathOf(key, uploadId));
        }
        catch (Exception cause) when (cause is (IOException or UnauthorizedAccessException) and not StorageException)
        {
            throw storage.CannotWrite(key, cause);
        }

        return Task.CompletedTask;
    }

    /// <summary>An id comes from outside: nothing that is none may name a file.</summary>
    private string PathOf(string key, string uploadId)
    {
        ObjectKey.ThrowIfInvalid(key);
        return Guid.TryParseExact(uploadId, "n", out var id) ? storage.UploadPath(id.ToString("n")) : throw Gone(key, uploadId, null);
    }

    private StorageException Gone(string key, string uploadId, Exception? cause) =>
        new(StorageError.NotFound, $"There is no upload '{uploadId}' of object '{key}' in {storage.Name}: it was completed, aborted, or left alone for a day. Begin it anew.", cause);
}
