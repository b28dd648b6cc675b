using Platform.DataPlane.Nvme;
using Platform.DataPlane.ObjectStorage;
using Platform.DataPlane.Tiering;
using Platform.Jobs;

namespace Platform.Worker.Jobs.Exec;

/// <summary>The artifacts of one attempt: staged in the NVMe tier, held there, and shown as links to their sealed files. No byte is copied.</summary>
internal sealed class ArtifactLeases(NvmeTier tier, IObjectStorage storage) : IAsyncDisposable
{
    private const int AtOnce = 4;
    private readonly Lock _lock = new();
    private readonly List<BlobLease> _leases = [];

    /// <summary>Bytes of all artifacts.</summary>
    public long LengthBytes { get; private set; }

    /// <summary>Stages every artifact, and links it under its name.</summary>
    /// <exception cref="JobFailedException">One of them does not exist.</exception>
    public async Task StageAsync(IReadOnlyDictionary<string, string> artifacts, string folder, CancellationToken cancellationToken)
    {
        await Parallel.ForEachAsync(artifacts, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken }, async (artifact, token) =>
        {
            var found = await storage.HeadAsync(artifact.Key, token)
                ?? throw new JobFailedException(new JobFailure(ErrorCodes.ObjectNotFound, $"The artifact '{artifact.Key}' is not in object storage. Put it there, then submit the job again.", false));
            var path = Path.Combine(folder, artifact.Value);
            if (found.LengthBytes == 0)
            {
                await File.WriteAllBytesAsync(path, [], token);
                return;
            }

            var lease = await tier.OpenAsync(new BlobSource(artifact.Key, storage, artifact.Key, found.LengthBytes, found.ETag) { Class = TierClass.Shards }, token);
            lock (_lock)
            {
                _leases.Add(lease);
                LengthBytes += found.LengthBytes;
            }

            await lease.FillAsync(cancellationToken: token);
            File.CreateSymbolicLink(path, lease.FilePath);
        });
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var lease in _leases)
        {
            await lease.DisposeAsync();
        }
    }
}
