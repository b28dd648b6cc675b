using System.Globalization;
using Platform.DataPlane.Nvme.Blobs;
using Platform.DataPlane.Nvme.Io;
using Platform.DataPlane.Nvme.Residency;
using Platform.DataPlane.ObjectStorage;

namespace Platform.DataPlane.Nvme;

/// <summary>Copies only copies to object storage, one at a time, until it is disposed: the oldest first of those that were tried least often. After a failure it pauses, longer each time, for all but what is new.</summary>
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

        // Not _wake: a put that ends with the tier may still say that there is something to do.
    }

    private async Task RunAsync()
    {
        var failures = 0;
        Task? pause = null;
        var woken = _wake.WaitAsync(_stop.Token);
        while (true)
        {
            var areAborted = await AbortAbandonedAsync();
            bool? isUploaded = null;

            // While there is a pause, what came meanwhile is tried all the same.
            await using (var lease = _onlyCopies.NextUpload(onlyNew: pause is not null, out var blob))
            {
                if (lease is not null)
                {
                    isUploaded = await UploadAsync(lease, blob!);
                }
            }

            if (isUploaded == true)
            {
                failures = 0;
                continue;
            }

            if (isUploaded == false || !areAborted)
            {
                pause ??= PauseAsync(failures++);
            }

            if (isUploaded is null)
            {
                await (pause is null ? woken : Task.WhenAny(pause, woken));
                _stop.Token.ThrowIfCancellationRequested();
            }

            pause = pause is { IsCompleted: true } ? null : pause;
            woken = woken.IsCompleted ? _wake.WaitAsync(_stop.Token) : woken;
        }
    }

    private Task PauseAsync(int failures)
    {
        var pause = FirstPause * Math.Pow(2, Math.Min(failures, 16)) * (0.5 + Random.Shared.NextDouble());
        return Task.Delay(pause < LongestPause ? pause : LongestPause, _tier.Options.Time, _stop.Token);
    }

    private async Task<bool> UploadAsync(BlobLease lease, Blob blob)
    {
        var objectKey = _objectKeyOf(blob.Key);
        try
        {
            if (await new BlobUpload(_tier, blob, lease, _storage, objectKey).RunAsync(_stop.Token) is not { } etag)
            {
                // It was removed.
                return true;
            }

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

    /// <summary>Gives up uploads whose blob is gone: removed, replaced, or lost before this life began.</summary>
    /// <returns>False if one could not be given up, and is to be tried again.</returns>
    private async Task<bool> AbortAbandonedAsync()
    {
        var areAborted = true;
        foreach (var key in _tier.Catalog.Keys(BlobLayout.UploadPrefix).ToList())
        {
            var id = long.Parse(key.AsSpan(BlobLayout.UploadPrefix.Length), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (_tier.Catalog.TryGet(BlobLayout.RecordKey(id), out _) || !_tier.Catalog.TryGet(key, out var bytes))
            {
                continue;
            }

            var upload = UploadRecord.Read(bytes);
            try
            {
                _tier.Device.Fault(FaultArea.Upload["abort"]);
                if (upload is not null && upload.Storage == _storage.Name && _storage.Uploads is { } uploads)
                {
                    await uploads.AbortAsync(upload.ObjectKey, upload.UploadId, _stop.Token);
                }

                await _tier.Catalog.CommitAsync(BlobLayout.UploadWrites(_tier.Catalog, id));
            }
            catch (Exception cause) when (!_stop.IsCancellationRequested)
            {
                NvmeLog.UploadNotAborted(_tier.Logger, upload?.ObjectKey ?? key, cause.Message);
                areAborted = false;
            }
        }

        return areAborted;
    }
}
