using Microsoft.Win32.SafeHandles;

namespace Platform.DataPlane.Nvme.Io;

/// <summary>Holds a folder for one process: a locked file, which the system lets go however the process ends, and beside it the holder's process id for the message.</summary>
internal sealed class FolderLock : IDisposable
{
    private readonly SafeFileHandle _file;
    private readonly string _ownerPath;

    private FolderLock(SafeFileHandle file, string ownerPath)
    {
        _file = file;
        _ownerPath = ownerPath;
    }

    /// <summary>Takes the lock, creating the folder if need be.</summary>
    /// <exception cref="StorageException"><see cref="StorageError.InUse"/>: somebody holds it.</exception>
    public static FolderLock Take(string folder)
    {
        Directory.CreateDirectory(folder);
        var ownerPath = Path.Combine(folder, "owner");
        SafeFileHandle file;
        try
        {
            // FileShare.None is an exclusive flock on Unix, which also holds against a second handle of the same process.
            file = File.OpenHandle(Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException cause) when (cause is not (DirectoryNotFoundException or PathTooLongException) && File.Exists(Path.Combine(folder, "lock")))
        {
            throw new StorageException(StorageError.InUse, $"'{folder}' is open in process {Owner(ownerPath)}. Stop that process, or use another folder.", cause);
        }

        try
        {
            File.WriteAllText(ownerPath, Environment.ProcessId.ToString());
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            // The disk is full, most likely. A tier must open on it all the same, or nothing could make room; the name in the file is for a message only.
        }

        return new FolderLock(file, ownerPath);
    }

    public void Dispose()
    {
        if (_file.IsClosed)
        {
            return;
        }

        try
        {
            File.Delete(_ownerPath);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            // The folder is gone, or is read-only by now. The name in it is for a message only; the lock below is what counts.
        }

        _file.Dispose();
    }

    private static string Owner(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (IOException)
        {
            return "(unknown)";
        }
    }
}
