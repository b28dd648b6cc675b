using Platform.DataPlane;
using Platform.DataPlane.ObjectStorage;
using Platform.Jobs;

namespace Platform.Worker.Jobs.Exec;

/// <summary>Keeps the checkpoint folder in object storage, so that the next attempt finds it on whatever node it runs.</summary>
/// <remarks>A file is uploaded when its length or time has changed; a command writes a new one beside it, under a name that ends in <c>.tmp</c>, and renames it: those are passed over, so that no half of a file is kept.</remarks>
internal sealed class CheckpointSync(IObjectStorage storage, string jobId, string folder)
{
    private const string Unfinished = ".tmp";
    private readonly Dictionary<string, (long LengthBytes, DateTime Written)> _kept = new(StringComparer.Ordinal);

    /// <summary>Brings in what earlier attempts left.</summary>
    /// <returns>Files.</returns>
    public async Task<int> RestoreAsync(CancellationToken cancellationToken)
    {
        var count = await FolderUpload.FetchAsync(storage, ObjectKeys.JobCheckpoint(jobId), folder, cancellationToken);
        foreach (var file in ExecFolders.Files(folder))
        {
            _kept[file.FullName] = (file.Length, file.LastWriteTimeUtc);
        }

        return count;
    }

    /// <summary>Uploads what has changed.</summary>
    public async Task KeepAsync(CancellationToken cancellationToken)
    {
        foreach (var file in ExecFolders.Files(folder).Where(file => !file.Name.EndsWith(Unfinished, StringComparison.Ordinal)).ToArray())
        {
            var now = (file.Length, file.LastWriteTimeUtc);
            if (_kept.GetValueOrDefault(file.FullName) == now)
            {
                continue;
            }

            try
            {
                await using var content = new FileStream(file.FullName, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                await storage.PutAsync(FolderUpload.KeyOf(folder, file, ObjectKeys.JobCheckpoint(jobId)), content, default, cancellationToken);
                _kept[file.FullName] = now;
            }
            catch (FileNotFoundException)
            {
                // Renamed or removed a moment ago; the next look sees what took its place.
            }
        }
    }

    /// <summary>Uploads at an interval, until cancelled.</summary>
    public async Task KeepEveryAsync(TimeSpan interval, TimeProvider time, Action<string> log, CancellationToken cancellationToken)
    {
        while (true)
        {
            await Task.Delay(interval, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (cancellationToken.IsCancellationRequested)
            {
                return;
            }

            try
            {
                await KeepAsync(cancellationToken);
            }
            catch (Exception fault) when (fault is StorageException or IOException or JobFailedException)
            {
                log($"The checkpoint could not be kept: {fault.Message}");
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }
}
