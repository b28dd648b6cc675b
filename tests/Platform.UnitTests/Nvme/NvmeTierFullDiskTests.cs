using System.Diagnostics;
using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Tiering;

namespace Platform.UnitTests.Nvme;

/// <summary>A tier on a file system that is really full, though its own limit would leave room.</summary>
public sealed class NvmeTierFullDiskTests : IDisposable
{
    private const int MiB = 1 << 20;
    private readonly TempFolder _folder = new();
    private bool _isMounted;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        if (_isMounted)
        {
            Run("umount", "-l", _folder.Path);
        }

        _folder.Dispose();
    }

    [Fact]
    public async Task Put_DiskFull_IsRefusedByName_KeepsWhatIsThere_AndWorksOnceThereIsRoom()
    {
        _isMounted = Run("mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", _folder.Path);
        Assert.SkipUnless(_isMounted, "a small file system cannot be mounted here (needs root on Linux)");
        var (kept, refused) = (Pattern.Bytes((5 * MiB) + 17, 1), Pattern.Bytes(6 * MiB, 2));
        var ballast = _folder["ballast"];
        await using (var tier = await Open())
        {
            await Put(tier, "kept", kept);
            Fill(ballast);

            var error = await Assert.ThrowsAsync<StorageException>(() => Put(tier, "refused", refused));

            Assert.Equal(StorageError.Full, error.Error);
            Assert.Contains("refused", error.Message, StringComparison.Ordinal);
            Assert.Equal(kept, await Read(tier, "kept"));
            File.Delete(ballast);
            await Put(tier, "after", refused);
        }

        await using var again = await Open();
        Assert.Equal(kept, await Read(again, "kept"));
        Assert.Equal(refused, await Read(again, "after"));
        Assert.Equal(["after", "kept"], (await again.ListAsync(Token)).Select(blob => blob.Key).Order());
        Assert.Equal(2, Directory.GetFiles(_folder["tier"], "*.blob", SearchOption.AllDirectories).Length);
    }

    private static Task Put(NvmeTier tier, string key, byte[] bytes) => tier.PutAsync(key, TierClass.Checkpoints, new MemoryStream(bytes), bytes.Length, Token);

    private static async Task<byte[]> Read(NvmeTier tier, string key)
    {
        await using var lease = tier.TryOpen(key)!;
        return await NvmeTierTests.ReadAll(lease);
    }

    private static void Fill(string path)
    {
        using var file = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        var block = new byte[4096];
        try
        {
            while (true)
            {
                file.Write(block);
            }
        }
        catch (IOException)
        {
            // That was the last free block.
        }
    }

    private static bool Run(string command, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardError = true, UseShellExecute = false })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    private Task<NvmeTier> Open() => NvmeTier.OpenAsync(new NvmeTierOptions { Folder = _folder["tier"], ChunkBytes = MiB, LimitBytes = 256 * MiB }, NullLogger.Instance, Token);
}
