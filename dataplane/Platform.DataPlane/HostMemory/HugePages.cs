using System.Runtime.InteropServices;

namespace Platform.DataPlane.HostMemory;

/// <summary>Asks the system for pages of 2 MiB.</summary>
/// <remarks>Direct I/O pins every page that it reads into, and hands the device one piece per stretch of physical memory: with 4 KiB pages an 8 MiB read is 2048 of both, with huge pages 4.</remarks>
internal static partial class HugePages
{
    public const int PageBytes = 2 << 20;

    /// <summary>Asks for huge pages behind a range that is not yet touched. Where the system has none nothing changes.</summary>
    public static void Advise(nint start, long lengthBytes)
    {
        const int HugePage = 14;
        if (OperatingSystem.IsLinux())
        {
            _ = MAdvise(start, (nuint)(lengthBytes & ~(PageBytes - 1L)), HugePage);
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int MAdvise(nint start, nuint lengthBytes, int advice);
}
