using Platform.DataPlane;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.ObjectStorage;
using Platform.DataPlane.Tiering;
using Platform.Jobs;

namespace Platform.Worker.Jobs;

/// <summary>Brings the bytes of a job that still waits into the NVMe tier. Best effort: what is missing is staged by the job itself.</summary>
internal sealed class JobPrefetch(NvmeTier tier, IObjectStorage storage, IHostApplicationLifetime lifetime, ILogger<JobPrefetch> logger) : IDisposable
{
    private const int MaxAtOnce = 2;
    private readonly SemaphoreSlim _turns = new(MaxAtOnce);

    /// <summary>Begins, and returns at once.</summary>
    public void Begin(PrefetchRequest request) => _ = Task.Run(() => RunAsync(request, lifetime.ApplicationStopping));

    public void Dispose() => _turns.Dispose();

    private async Task RunAsync(PrefetchRequest request, CancellationToken cancellationToken)
    {
        try
        {
            await _turns.WaitAsync(cancellationToken);
            try
            {
                foreach (var file in request.Model?.Files ?? [])
                {
                    await FillAsync(new BlobSource(ObjectKeys.ModelFile(request.Model!.Name, file.Name), storage, ObjectKeys.ModelFile(request.Model.Name, file.Name), file.LengthBytes, file.ETag), cancellationToken);
                }

                foreach (var key in request.Artifacts.Where(ObjectKeys.IsValid))
                {
                    if (await storage.HeadAsync(key, cancellationToken) is { } found)
                    {
                        await FillAsync(new BlobSource(key, storage, key, found.LengthBytes, found.ETag) { Class = TierClass.Shards }, cancellationToken);
                    }
                }

                JobLog.Prefetched(logger, request.JobId);
            }
            finally
            {
                _turns.Release();
            }
        }
        catch (Exception fault) when (fault is StorageException or IOException or OperationCanceledException or ObjectDisposedException)
        {
            JobLog.NotPrefetched(logger, request.JobId, fault.Message);
        }
    }

    private async Task FillAsync(BlobSource source, CancellationToken cancellationToken)
    {
        await using var lease = await tier.OpenAsync(source, cancellationToken);
        await lease.FillAsync(cancellationToken: cancellationToken);
    }
}
