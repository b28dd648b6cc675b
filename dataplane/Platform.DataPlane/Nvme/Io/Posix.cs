using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Platform.DataPlane.Nvme.Io;

/// <summary>The few system calls that .NET does not offer. On systems other than Linux each has a portable stand-in.</summary>
internal static partial class Posix
{
    private const int ReadOnlyFolder = 0x10000; // O_RDONLY | O_DIRECTORY on x86-64; arm64 has another value, see below.
    private const int ReadOnlyFolderArm = 0x4000;
    private const int Interrupted = 4;

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

    /// <summary>Opens a lock file, creating it if need be, and waits until no other process holds it; closing the file lets it go.</summary>
    /// <remarks>.NET's own way to open a file takes a shared lock at once, and throws where this waits. Elsewhere than on Linux nothing is locked.</remarks>
    public static SafeFileHandle LockFile(string path)
    {
        const int Exclusive = 2;
        const int ReadWriteCreateCloseOnExec = 0x2 | 0x40 | 0x80000;
        const int OwnerOnly = 0x180;
        if (!OperatingSystem.IsLinux())
        {
            return File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        }

        var descriptor = Open(path, ReadWriteCreateCloseOnExec, OwnerOnly);
        if (descriptor < 0)
        {
            throw LastError($"open '{path}'");
        }

        var file = new SafeFileHandle(descriptor, ownsHandle: true);
        while (FLock(file, Exclusive) != 0)
        {
            if (Marshal.GetLastPInvokeError() != Interrupted)
            {
                file.Dispose();
                throw LastError("flock");
            }
        }

        return file;
    }

    /// <summary>Makes reads and writes of a file go past the page cache.</summary>
    /// <returns>False if the system or its file system does not offer that.</returns>
    public static bool TrySetDirect(SafeFileHandle file)
    {
        const int GetFlags = 3;
        const int SetFlags = 4;
        if (!OperatingSystem.IsLinux())
        {
            return false;
        }

        var direct = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x10000 : 0x4000;
        var flags = FCntl(file, GetFlags, 0);
        return flags >= 0 && FCntl(file, SetFlags, flags | direct) == 0;
    }

    /// <summary>What offsets and lengths of direct I/O on a file must be multiples of. Where the system does not say, 4096, which serves every drive.</summary>
    /// <param name="path">A file that exists.</param>
    public static unsafe uint DirectAlignment(string path)
    {
        const int CurrentFolder = -100;
        const uint DirectAlignmentAsked = 0x2000;
        const int AlignmentAt = 156;
        const uint Otherwise = 4096;
        if (!OperatingSystem.IsLinux())
        {
            return Otherwise;
        }

        var buffer = stackalloc byte[256];
        if (StatX(CurrentFolder, path, 0, DirectAlignmentAsked, buffer) != 0 || (*(uint*)buffer & DirectAlignmentAsked) == 0)
        {
            return Otherwise;
        }

        // Zero: this file system has no direct I/O.
        return *(uint*)(buffer + AlignmentAt) is var alignment && alignment == 0 ? uint.MaxValue : alignment;
    }

    /// <summary>Reserves space for a file and sets its length, so that later writes cannot run out of it.</summary>
    /// <exception cref="IOException">There is not so much; <see cref="Exception.HResult"/> is the error number.</exception>
    public static void Allocate(SafeFileHandle file, long lengthBytes)
    {
        const int Unsupported = 95;
        if (!OperatingSystem.IsLinux())
        {
            RandomAccess.SetLength(file, lengthBytes);
            return;
        }

        while (lengthBytes > 0 && FAllocate(file, 0, 0, lengthBytes) != 0)
        {
            var number = Marshal.GetLastPInvokeError();
            if (number == Unsupported)
            {
                RandomAccess.SetLength(file, lengthBytes);
                return;
            }

            if (number != Interrupted)
            {
                throw LastError("fallocate");
            }
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

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int FCntl(SafeFileHandle file, int command, int argument);

    [LibraryImport("libc", EntryPoint = "fallocate", SetLastError = true)]
    private static partial int FAllocate(SafeFileHandle file, int mode, long offset, long length);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int StatX(int folder, string path, int flags, uint mask, byte* buffer);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int FLock(SafeFileHandle file, int operation);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags, int mode = 0);
}
