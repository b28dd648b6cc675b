using Platform.DataPlane.ObjectStorage;
using Platform.Jobs;

namespace Platform.Worker.Jobs.Exec;

/// <summary>Folders as objects under a prefix, and back.</summary>
internal static class FolderUpload
{
    /// <summary>Uploads every file.</summary>
    /// <returns>Files and their bytes.</returns>
    /// <exception cref="JobFailedException">A name cannot be a key, or there are more bytes than allowed.</exception>
    public static async Task<(int Files, long LengthBytes)> SendAsync(IObjectStorage storage, string folder, string prefix, long limitBytes, CancellationToken cancellationToken)
    {
        var files = ExecFolders.Files(folder).OrderBy(file => file.FullName, StringComparer.Ordinal).ToArray();
        var length = files.Sum(file => file.Length);
        if (length > limitBytes)
        {
            throw new JobFailedException(new JobFailure(ErrorCodes.QuotaExceeded, $"The output folder holds {length} bytes; the job may write {limitBytes} (resources.outputBytes, or the node's standard).", false));
        }

        foreach (var file in files)
        {
            await using var content = new FileStream(file.FullName, FileMode.Open, FileAccess.Read, FileShare.Read);
            await storage.PutAsync(KeyOf(folder, file, prefix), content, default, cancellationToken);
        }

        return (files.Length, length);
    }

    /// <summary>Downloads every object under a prefix.</summary>
    public static async Task<int> FetchAsync(IObjectStorage storage, string prefix, string folder, CancellationToken cancellationToken)
    {
        var count = 0;
        await foreach (var item in storage.ListAsync(prefix, cancellationToken))
        {
            // Only legal keys are in storage, and a legal key has no segment that leads out of the folder.
            var path = Path.Combine(folder, item.Key[prefix.Length..]);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await using var source = await storage.OpenReadAsync(item.Key, item.ETag, cancellationToken);
            await using var target = new FileStream(path, FileMode.Create, FileAccess.Write);
            await source.CopyToAsync(target, cancellationToken);
            count++;
        }

        return count;
    }

    /// <summary>Deletes every object under a prefix.</summary>
    public static async Task DeleteAsync(IObjectStorage storage, string prefix, CancellationToken cancellationToken)
    {
        var keys = new List<string>();
        await foreach (var item in storage.ListAsync(prefix, cancellationToken))
        {
            keys.Add(item.Key);
        }

        foreach (var key in keys)
        {
            await storage.DeleteAsync(key, cancellationToken);
        }
    }

    public static string KeyOf(string folder, FileInfo file, string prefix)
    {
        var key = prefix + Path.GetRelativePath(folder, file.FullName).Replace(Path.DirectorySeparatorChar, '/');
        return ObjectKeys.IsValid(key)
            ? key
            : throw new JobFailedException(new JobFailure(ErrorCodes.InvalidRequest, $"The file '{Path.GetRelativePath(folder, file.FullName)}' cannot be stored: '{key}' is not an object key; expected {ObjectKeys.Rule}.", false));
    }
}
