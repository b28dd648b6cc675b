using Platform.DataPlane.Nvme.Blobs;
using Platform.DataPlane.Nvme.Residency;
using Platform.DataPlane.ObjectStorage;

namespace Platform.DataPlane.Nvme;

/// <summary>Copies only copies to object storage, the oldest first, one at a time, until it is disposed.</summary>
internal sealed class TierUploader : IAsyncDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestPause = TimeSpan.FromMinutes(1);

    private readonly TierEnvironment _tier;
    private readonly OnlyCopies _onlyCopies;
    private readonly IObjectStorage _storage;
    private readonly Func<string, string> _objectKeyOf;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _wake = new(0);
    private readonly Task _loop;

    public TierUploader(TierEnvironment tier, OnlyCopies onlyCopies, IObjectStorage storage, Func<string, string> objectKeyOf)
    {
        _tier = tier;
        _onlyCopies = onlyCopies;
        _storage = storage;
        _objectKeyOf = objectKeyOf;
        _loop = Task.Run(RunAsync);
    }

    /// <summary>Says that there may be something to do.</summary>
    public void Wake() => _wake.Release();

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
        _wake.Dispose();
    }

    private async Task RunAsync()
    {
        var failures = 0;
        while (true)
        {
            await using (var lease = _onlyCopies.NextUpload(out var blob))
            {
                if (lease is not null)
                {
                    failures = await UploadAsync(lease, blob!) ? 0 : failures + 1;
                }
                else
                {
                    await _wake.WaitAsync(_stop.Token);
                }
            }

            if (failures > 0)
            {
                var pause = FirstPause * Math.Pow(2, Math.Min(failures - 1, 16)) * (0.5 + Random.Shared.NextDouble());
                await Task.Delay(pause < LongestPause ? pause : LongestPause, _tier.Options.Time, _stop.Token);
            }
        }
    }

    private async Task<bool> UploadAsync(BlobLease lease, Blob blob)
    {
        var objectKey = _objectKeyOf(blob.Key);
        try
        {
            await using var stream = new BlobReadStream(lease);
            var etag = await _storage.PutAsync(objectKey, stream, cancellationToken: _stop.Token);
            await blob.Recorder.ReplicateAsync(objectKey, etag);
            NvmeLog.Replicated(_tier.Logger, blob.Key, objectKey, etag);
            _onlyCopies.Uploaded();
            return true;
        }
        catch (Exception cause) when (!_stop.IsCancellationRequested)
        {
            blob.Upload = (blob.Upload.Tries + 1, cause.Message);
            NvmeLog.UploadFailed(_tier.Logger, blob.Key, objectKey, blob.Upload.Tries, cause.Message);
            return false;
        }
    }
}
