using System.ComponentModel;
using System.Diagnostics;

namespace Platform.UnitTests;

/// <summary>A small file system in memory, mounted for one test, which the test can fill to the last block.</summary>
internal sealed class SmallDisk : IDisposable
{
    private SmallDisk(string path) => Path = path;

    public string Path { get; }

    /// <summary>A path on the disk; nothing is created.</summary>
    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>Mounts one, or has the test skipped where that is not allowed.</summary>
    public static SmallDisk MountOrSkip(int mebibytes)
    {
        var path = Directory.CreateTempSubdirectory("platform-test-disk-").FullName;
        var isMounted = Run("mount", "-t", "tmpfs", "-o", $"size={mebibytes}m", "tmpfs", path);
        if (!isMounted)
        {
            Directory.Delete(path);
        }

        Assert.SkipUnless(isMounted, "a small file system cannot be mounted here (needs root on Linux)");
        return new SmallDisk(path);
    }

    /// <summary>Fills what is left of the disk with one file, to the last block.</summary>
    /// <returns>The file; deleting it makes room again.</returns>
    public string Fill()
    {
        var path = this["ballast"];
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        for (var block = 1 << 20; block >= 512; block /= 2)
        {
            try
            {
                while (true)
                {
                    file.Write(new byte[block]);
                }
            }
            catch (IOException)
            {
                // No room for a block of this size; try a smaller one.
            }
        }

        return path;
    }

    public void Dispose()
    {
        Run("umount", "-l", Path);
        Directory.Delete(Path, recursive: true);
    }

    private static bool Run(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true, UseShellExecute = false })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }
}
