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

    /// <summary>Looks for every object that the job names, and begins to stage the bytes unless one is missing.</summary>
    /// <exception cref="StorageException">Object storage could not be asked.</exception>
    public async Task<MissingObjects> BeginAsync(PrefetchRequest request, CancellationToken cancellationToken)
    {
        var (found, missing) = await ObjectCheck.LookAsync(storage, request.Input is null ? request.Artifacts : [.. request.Artifacts, request.Input], cancellationToken);
        if (missing.Keys.Count == 0)
        {
            _ = Task.Run(() => RunAsync(request, found, lifetime.ApplicationStopping), CancellationToken.None);
        }

        return missing;
    }

    public void Dispose() => _turns.Dispose();

    private async Task RunAsync(PrefetchRequest request, IReadOnlyDictionary<string, ObjectInfo> found, CancellationToken cancellationToken)
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

                foreach (var artifact in request.Artifacts.Select(key => found[key]).Where(artifact => artifact.LengthBytes > 0))
                {
                    await FillAsync(new BlobSource(artifact.Key, storage, artifact.Key, artifact.LengthBytes, artifact.ETag) { Class = TierClass.Shards }, cancellationToken);
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
