using Microsoft.Extensions.Logging;
using Platform.DataPlane.Nvme.Blobs;
using Platform.DataPlane.Nvme.Io;
using Platform.DataPlane.Nvme.Residency;
using Platform.DataPlane.ObjectStorage;
using Platform.DataPlane.Tiering;

namespace Platform.DataPlane.Nvme;

/// <summary>The blobs of one node's NVMe: fetched from object storage chunk by chunk, kept across restarts, within a hard limit.</summary>
/// <remarks>
/// All members may be called from any thread. See <see cref="BlobLayout"/> for what lies on the device and in which order it gets there,
/// and the folder <c>Residency</c> for who comes in (<see cref="Admission"/>, <see cref="OnlyCopies"/>), goes (<see cref="Removal"/>) and comes back after a restart (<see cref="Recovery"/>).
/// </remarks>
public sealed class NvmeTier : IAsyncDisposable
{
    /// <summary>Name of the meter with the figures of every open tier; each carries the tier's folder.</summary>
    public const string MeterName = "Platform.DataPlane";

    private readonly FolderLock _lock;
    private readonly TierEnvironment _environment;
    private readonly Residents _residents;
    private readonly Removal _removal;
    private readonly Leases _leases;
    private readonly Admission _admission;
    private readonly OnlyCopies _onlyCopies;
    private readonly Explanation _explanation;
    private readonly Pins _pins;
    private readonly Inspection _inspection;
    private TierUploader? _uploader;

    private NvmeTier(TierEnvironment environment, FolderLock folderLock)
    {
        _environment = environment;
        _lock = folderLock;
        _residents = new Residents(environment.Options.LimitBytes - environment.Options.MetadataBytes, environment.Options.Shares);
        _removal = new Removal(environment, _residents);
        _leases = new Leases(environment, _residents, _removal);
        _admission = new Admission(environment, _residents, _leases, _removal);
        _onlyCopies = new OnlyCopies(environment, _residents, _admission, _leases, _removal);
        _explanation = new Explanation(_residents);
        _pins = new Pins(environment, _residents);
        _inspection = new Inspection(_residents, _removal);
        environment.Meter.Observe(this);
    }

    /// <summary>Bytes that blobs, and what a damaged catalog left behind, take on the device.</summary>
    public long UsedBytes => _residents.UsedBytes;

    /// <summary>Bytes that blobs may take: the limit without what is kept for the catalog.</summary>
    public long LimitBytes => _residents.LimitBytes;

    /// <summary>What the device did for blobs since the tier was opened. For small values see <see cref="BlockStore.Device"/>.</summary>
    public DeviceFigures Device => _environment.Device.Figures;

    /// <summary>What the device did for the catalog since the tier was opened.</summary>
    public DeviceFigures CatalogDevice => _environment.Catalog.Device;

    /// <summary>Of <see cref="UsedBytes"/>, what a damaged catalog left behind (folders <c>lost</c> and <c>catalog.damaged</c>). Look at it and delete it; it is counted when the tier is opened.</summary>
    public long SetAsideBytes => _residents.SetAsideBytes;

    /// <summary>Small values, for which a file each would be too much; null unless <see cref="NvmeTierOptions.BlockBytes"/> is set.</summary>
    public BlockStore? Blocks { get; private set; }

    /// <summary>Bytes of the catalog in memory.</summary>
    public long CatalogBytes => _environment.Catalog.LiveBytes;

    /// <summary>Bytes that are nowhere else.</summary>
    public long OnlyCopyBytes => _onlyCopies.Bytes;

    /// <summary>Bytes that blobs of a class take on the device.</summary>
    public long UsedBytesOf(TierClass tierClass)
    {
        lock (_residents.Gate)
        {
            return _residents.Budget.BytesOf(tierClass);
        }
    }

    /// <summary>Opens the tier of a folder, or makes an empty one. What a crash left half done is finished, resumed or removed.</summary>
    /// <exception cref="StorageException"><see cref="StorageError.InUse"/>, <see cref="StorageError.Version"/>, <see cref="StorageError.Corrupt"/> or an I/O failure.</exception>
    public static async Task<NvmeTier> OpenAsync(NvmeTierOptions options, ILogger logger, CancellationToken cancellationToken = default)
    {
        options = options.Validated();
        FolderLock? folderLock = null;
        TierEnvironment? environment = null;
        try
        {
            folderLock = FolderLock.Take(options.Folder);
            Directory.CreateDirectory(Path.Combine(options.Folder, "blobs"));
            var notice = new DirectIoNotice(logger);
            var catalog = await new CatalogRecovery(options, notice, logger).OpenAsync(cancellationToken);
            environment = new TierEnvironment(options, catalog, notice, logger);
            var tier = new NvmeTier(environment, folderLock);
            await new Recovery(environment, tier._residents).RunAsync();
            tier.Blocks = await BlockReservation.OpenAsync(environment, tier._residents, cancellationToken);
            await tier._admission.ShrinkAsync();
            return tier;
        }
        catch (Exception cause)
        {
            if (environment is not null)
            {
                await environment.DisposeAsync();
            }

            folderLock?.Dispose();
            if (cause is (IOException or UnauthorizedAccessException) and not StorageException)
            {
                throw StorageException.From(cause, $"The tier in '{options.Folder}' cannot be opened");
            }

            throw;
        }
    }

    /// <summary>Leases a blob; it is admitted if it is not here, which may evict others. Nothing is fetched before it is read.</summary>
    /// <exception cref="StorageException"><see cref="StorageError.Full"/>: it does not fit beside what is in use; the message has the figures.</exception>
    public async Task<BlobLease> OpenAsync(BlobSource source, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ObjectKey.ThrowIfInvalid(source.Key);
        ArgumentOutOfRangeException.ThrowIfNegative(source.LengthBytes, nameof(source));
        return await _admission.OpenAsync(source, cancellationToken);
    }

    /// <summary>Leases a blob that is here, whatever its source; null if it is not. Chunks that are missing cannot be read through such a lease.</summary>
    public BlobLease? TryOpen(string key) => _leases.TryLease(key);

    /// <summary>Content bytes of a version of a blob that are here; 0 if it is not.</summary>
    public long LandedBytesOf(string key, string etag)
    {
        lock (_residents.Gate)
        {
            return _residents.Blobs.TryGetValue(key, out var blob) && blob.Record.ETag == etag ? blob.LandedBytes : 0;
        }
    }

    /// <summary>Every blob, by key.</summary>
    public Task<IReadOnlyList<TierBlob>> ListAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return Task.FromResult(_explanation.List());
    }

    /// <summary>Says why a key is, or is not, here, and what would evict it.</summary>
    public TierExplanation Explain(string key) => _explanation.Of(key);

    /// <summary>Writes a blob that is nowhere else: acknowledged when it is durable on this node, and never evicted before an object holds a copy.</summary>
    /// <param name="key">Its key; a blob that has it is replaced in the same instant in which the new one becomes durable.</param>
    /// <param name="tierClass">What it is for.</param>
    /// <param name="content">Its bytes, from front to back.</param>
    /// <param name="lengthBytes">Exactly how many.</param>
    /// <param name="cancellationToken">Stops the writing; nothing remains of it then.</param>
    /// <exception cref="StorageException"><see cref="StorageError.Full"/>: no room, or too many only copies and no uploads; <see cref="StorageError.Truncated"/>: fewer bytes than announced.</exception>
    public Task PutAsync(string key, TierClass tierClass, Stream content, long lengthBytes, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(content);
        ArgumentOutOfRangeException.ThrowIfNegative(lengthBytes);
        return PutAsync(key, tierClass, lengthBytes, writer => writer.WriteAsync(content, cancellationToken), cancellationToken);
    }

    /// <summary>As the other, from memory. What lies in <see cref="HostMemory.AlignedMemory"/> from a multiple of 4096 on is written from there, without a copy.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="tierClass">What it is for.</param>
    /// <param name="content">Its bytes; not to be changed before this completes.</param>
    /// <param name="cancellationToken">Stops the writing; nothing remains of it then.</param>
    /// <exception cref="StorageException"><see cref="StorageError.Full"/>: no room, or too many only copies and no uploads.</exception>
    public Task PutAsync(string key, TierClass tierClass, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default) =>
        PutAsync(key, tierClass, content.Length, writer => writer.WriteAsync(content, cancellationToken), cancellationToken);

    /// <summary>Starts to copy only copies to object storage, those of earlier runs included, one after the other, until the tier is disposed. A copy that fails is tried again with growing pauses, and a large one goes on where it broke off, after a restart too.</summary>
    /// <param name="storage">Where to.</param>
    /// <param name="objectKeyOf">The object's key for a blob's key.</param>
    public void StartUploads(IObjectStorage storage, Func<string, string> objectKeyOf)
    {
        lock (_residents.Gate)
        {
            ObjectDisposedException.ThrowIf(_residents.IsClosed, this);
            _uploader ??= new TierUploader(_environment, _onlyCopies, storage, objectKeyOf);
            _onlyCopies.AreUploaded = true;
        }
    }

    /// <summary>Completes when no blob is an only copy any more.</summary>
    public Task WhenUploadedAsync(CancellationToken cancellationToken = default) => _onlyCopies.WhenUploadedAsync(cancellationToken);

    /// <summary>Keeps the blob of a key from being evicted, also after a restart, and also one that comes or is replaced later. Nothing is fetched.</summary>
    /// <returns>False if the key was pinned already.</returns>
    public Task<bool> PinAsync(string key, CancellationToken cancellationToken = default)
    {
        ObjectKey.ThrowIfInvalid(key);
        return _pins.SetAsync(key, pinned: true, cancellationToken);
    }

    /// <summary>Ends a pin.</summary>
    /// <returns>False if the key was not pinned.</returns>
    public Task<bool> UnpinAsync(string key, CancellationToken cancellationToken = default)
    {
        ObjectKey.ThrowIfInvalid(key);
        return _pins.SetAsync(key, pinned: false, cancellationToken);
    }

    /// <summary>Removes a blob. While it is leased, its users keep reading; the key is free at once.</summary>
    /// <returns>False if it was not here.</returns>
    public async Task<bool> RemoveAsync(string key, CancellationToken cancellationToken = default)
    {
        try
        {
            return await _removal.RemoveAsync(key, RemovalCause.Request("it was removed on request"), cancellationToken);
        }
        finally
        {
            _uploader?.Wake();
        }
    }

    /// <summary>Compares every chunk of every blob with its checksum.</summary>
    /// <returns>One line per damaged chunk, with file and offset.</returns>
    public IAsyncEnumerable<string> VerifyAsync(CancellationToken cancellationToken = default) => _inspection.VerifyAsync([.. _explanation.List().Select(blob => blob.Key)], cancellationToken);

    /// <summary>Compares every chunk of one blob that is here with its checksum.</summary>
    /// <param name="key">The blob.</param>
    /// <param name="repairFrom">Where damaged chunks are fetched again from; null to leave them. An only copy cannot be repaired.</param>
    /// <param name="cancellationToken">Stops the checking.</param>
    /// <returns>Null if the key is not here.</returns>
    public Task<TierCheck?> CheckAsync(string key, IObjectStorage? repairFrom = null, CancellationToken cancellationToken = default)
    {
        ObjectKey.ThrowIfInvalid(key);
        return _inspection.CheckAsync(key, repairFrom, cancellationToken);
    }

    /// <summary>Gives up what is still on its way from object storage, waits until what has arrived is recorded, and closes the files. Leases are worth nothing afterwards.</summary>
    public async ValueTask DisposeAsync()
    {
        List<Blob> blobs;
        lock (_residents.Gate)
        {
            if (_residents.IsClosed)
            {
                return;
            }

            _residents.IsClosed = true;
            blobs = [.. _residents.Blobs.Values, .. _residents.Leaving, .. _residents.Writing];
        }

        await _environment.Closing.CancelAsync();
        _residents.SignalFewerOnlyCopies();
        if (_uploader is not null)
        {
            await _uploader.DisposeAsync();
        }

        foreach (var blob in blobs)
        {
            await blob.QuiesceAsync();
            blob.Dispose();
        }

        if (Blocks is not null)
        {
            await Blocks.DisposeAsync();
        }

        await _environment.DisposeAsync();
        _lock.Dispose();
    }

    private async Task PutAsync(string key, TierClass tierClass, long lengthBytes, Func<BlobWriter, Task> write, CancellationToken cancellationToken)
    {
        ObjectKey.ThrowIfInvalid(key);
        try
        {
            await _onlyCopies.PutAsync(key, tierClass, lengthBytes, write, cancellationToken);
        }
        finally
        {
            // If it failed, the blob that it was to replace is still to be uploaded.
            _uploader?.Wake();
        }
    }
}
