using Platform.DataPlane.Nvme;
using Platform.DataPlane.ObjectStorage;
using Platform.DataPlane.Tiering;

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
    /// <exception cref="JobFailedException">Some of them do not exist; it names all of those.</exception>
    public async Task StageAsync(IReadOnlyDictionary<string, string> artifacts, string folder, CancellationToken cancellationToken)
    {
        var (found, missing) = await ObjectCheck.LookAsync(storage, [.. artifacts.Keys], cancellationToken);
        if (missing.Keys.Count > 0)
        {
            throw new JobFailedException(missing.ToFailure());
        }

        await Parallel.ForEachAsync(artifacts, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken }, async (artifact, token) =>
        {
            var source = found[artifact.Key];
            var path = Path.Combine(folder, artifact.Value);
            if (source.LengthBytes == 0)
            {
                await File.WriteAllBytesAsync(path, [], token);
                return;
            }

            var lease = await tier.OpenAsync(new BlobSource(artifact.Key, storage, artifact.Key, source.LengthBytes, source.ETag) { Class = TierClass.Shards }, token);
            lock (_lock)
            {
                _leases.Add(lease);
                LengthBytes += source.LengthBytes;
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
