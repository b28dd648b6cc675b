using Platform.DataPlane.Nvme;
using Platform.DataPlane.ObjectStorage;
using Platform.DataPlane.Weights;

namespace Platform.Worker.Engines.External;

/// <summary>A model's files as programs want them: a folder with the files' own names, each a link to the tier's sealed file. As long as it exists, the tier keeps them.</summary>
internal sealed class SealedModelFolder : IAsyncDisposable
{
    private readonly List<BlobLease> _leases = [];
    private readonly ObjectStorageCounters _counters = new();

    private SealedModelFolder(string path) => Path = path;

    public string Path { get; }

    /// <summary>Bytes that came from object storage for this folder.</summary>
    public long ObjectStoreBytes => _counters.BytesRead;

    /// <summary>Brings the files into the tier, as far as they are not there, and links them.</summary>
    /// <param name="files">The model.</param>
    /// <param name="tier">The tier.</param>
    /// <param name="path">The folder; replaced if it exists.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="Platform.DataPlane.StorageException">A file cannot be had.</exception>
    public static async Task<SealedModelFolder> CreateAsync(ModelFiles files, NvmeTier tier, string path, CancellationToken cancellationToken)
    {
        var folder = new SealedModelFolder(path);
        try
        {
            folder.Clear();
            Directory.CreateDirectory(path);
            var storage = new CountingObjectStorage(files.Storage, folder._counters);
            foreach (var file in files.Files)
            {
                var lease = await tier.OpenAsync(new BlobSource(file.ObjectKey, storage, file.ObjectKey, file.LengthBytes, file.ETag), cancellationToken);
                folder._leases.Add(lease);
                await lease.FillAsync(cancellationToken: cancellationToken);
                File.CreateSymbolicLink(System.IO.Path.Combine(path, file.Name), lease.FilePath);
            }

            return folder;
        }
        catch
        {
            await folder.DisposeAsync();
            throw;
        }
    }

    /// <summary>Removes the links and lets the files go.</summary>
    public async ValueTask DisposeAsync()
    {
        Clear();
        foreach (var lease in _leases)
        {
            await lease.DisposeAsync();
        }
    }

    private void Clear()
    {
        if (Directory.Exists(Path))
        {
            // Links are removed, not what they point to.
            Directory.Delete(Path, recursive: true);
        }
    }
}
