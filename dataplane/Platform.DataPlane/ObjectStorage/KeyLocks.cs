using Microsoft.Win32.SafeHandles;
using Platform.DataPlane.Nvme.Io;

namespace Platform.DataPlane.ObjectStorage;

/// <summary>One writer per key, among the threads of this process and among processes on this machine. Keys share 64 locks.</summary>
internal sealed class KeyLocks(string folder)
{
    private const int Stripes = 64;
    private readonly SemaphoreSlim[] _stripes = [.. Enumerable.Range(0, Stripes).Select(_ => new SemaphoreSlim(1))];

    public async Task<IDisposable> TakeAsync(string key, CancellationToken cancellationToken)
    {
        // Not string.GetHashCode, which differs from process to process.
        var index = (int)(Checksum.Crc32C(System.Text.Encoding.UTF8.GetBytes(key)) % Stripes);
        await _stripes[index].WaitAsync(cancellationToken);
        try
        {
            Directory.CreateDirectory(folder);
            var file = await Task.Run(() => Posix.LockFile(Path.Combine(folder, $"lock-{index}")), CancellationToken.None);
            return new Held(_stripes[index], file);
        }
        catch
        {
            _stripes[index].Release();
            throw;
        }
    }

    private sealed class Held(SemaphoreSlim stripe, SafeFileHandle file) : IDisposable
    {
        public void Dispose()
        {
            // Closing the file lets the lock go.
            file.Dispose();
            stripe.Release();
        }
    }
}
