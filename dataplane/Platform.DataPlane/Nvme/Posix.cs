using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Platform.DataPlane.Nvme;

/// <summary>The few system calls that .NET does not offer. On systems other than Linux each has a portable stand-in.</summary>
internal static partial class Posix
{
    private const int ReadOnlyFolder = 0x10000; // O_RDONLY | O_DIRECTORY on x86-64; arm64 has another value, see below.
    private const int ReadOnlyFolderArm = 0x4000;

    /// <summary>Makes a file's data, and as much metadata as is needed to read it, durable.</summary>
    /// <exception cref="IOException">The device refused; <see cref="Exception.HResult"/> is the error number.</exception>
    public static void SyncData(SafeFileHandle file)
    {
        if (!OperatingSystem.IsLinux())
        {
            RandomAccess.FlushToDisk(file);
        }
        else if (FDataSync(file) != 0)
        {
            throw LastError("fdatasync");
        }
    }

    /// <summary>Makes the names in a folder durable: what was created, renamed or deleted in it.</summary>
    public static void SyncFolder(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        var descriptor = Open(path, RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? ReadOnlyFolderArm : ReadOnlyFolder);
        if (descriptor < 0)
        {
            throw LastError($"open '{path}'");
        }

        using var folder = new SafeFileHandle(descriptor, ownsHandle: true);
        if (FSync(folder) != 0)
        {
            throw LastError($"fsync '{path}'");
        }
    }

    private static IOException LastError(string call)
    {
        var number = Marshal.GetLastPInvokeError();
        return new IOException($"{call}: {new Win32Exception(number).Message}", number);
    }

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int FDataSync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);
}
