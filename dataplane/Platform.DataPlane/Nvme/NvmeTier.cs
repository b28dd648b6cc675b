using System.Buffers.Binary;
using Microsoft.Extensions.Logging;
using Platform.DataPlane.HostMemory;
using Platform.DataPlane.ObjectStorage;
using Platform.DataPlane.Tiering;

namespace Platform.DataPlane.Nvme;

/// <summary>The blobs of one node's NVMe: fetched from object storage chunk by chunk, kept across restarts, within a hard limit.</summary>
/// <remarks>All members may be called from any thread. See <see cref="BlobLayout"/> for what lies on the device and in which order it gets there.</remarks>
public sealed class NvmeTier : IAsyncDisposable
{
    private const int RememberedRemovals = 1000;

    private readonly FolderLock _lock;
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _admission = new(1);
    private readonly Dictionary<string, Blob> _blobs = new(StringComparer.Ordinal);
    private readonly HashSet<Blob> _leaving = [];
    private readonly HashSet<Blob> _writing = [];
    private readonly Dictionary<string, string> _removals = new(StringComparer.Ordinal);
    private readonly Queue<string> _removalOrder = new();
    private readonly TierBudget _budget;
    private TaskCompletionSource _roomForOnlyCopies = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TierUploader? _uploader;
    private long _usedBytes;
    private long _nextId = 1;
    private long _clock;
    private bool _disposed;

    private NvmeTier(NvmeTierOptions options, FolderLock folderLock, DurableStore catalog, ILogger logger)
    {
        Options = options;
        _lock = folderLock;
        Catalog = catalog;
        Logger = logger;
        Device = new DirectDevice(logger, options.FaultPoint);
        Buffers = new AlignedBufferPool(options.ChunkBytes, options.Buffers);
        _budget = new TierBudget(LimitBytes, options.Shares);
        Meter = new TierMeter(this);
    }

    /// <summary>Bytes that blobs take on the device.</summary>
    public long UsedBytes => Interlocked.Read(ref _usedBytes);

    /// <summary>Bytes that blobs may take: the limit without what is kept for the catalog.</summary>
    public long LimitBytes => Options.LimitBytes - Options.MetadataBytes;

    /// <summary>False if the file system refused direct I/O.</summary>
    public bool IsDirect => Device.IsDirect;

    /// <summary>Bytes read from the device since the tier was opened.</summary>
    public long DeviceBytesRead => Device.BytesRead;

    /// <summary>Bytes written to the device since the tier was opened, the catalog's not counted.</summary>
    public long DeviceBytesWritten => Device.BytesWritten;

    /// <summary>Bytes of the catalog in memory.</summary>
    public long CatalogBytes => Catalog.LiveBytes;

    /// <summary>Bytes that are nowhere else.</summary>
    public long OnlyCopyBytes
    {
        get
        {
            lock (_gate)
            {
                return OnlyCopies().Sum(blob => blob.AllocatedBytes);
            }
        }
    }

    internal TierMeter Meter { get; }

    internal NvmeTierOptions Options { get; }

    internal DurableStore Catalog { get; }

    internal DirectDevice Device { get; }

    internal AlignedBufferPool Buffers { get; }

    internal ILogger Logger { get; }

    /// <summary>Opens the tier of a folder, or makes an empty one. What a crash left half done is finished, resumed or removed.</summary>
    /// <exception cref="StorageException"><see cref="StorageError.InUse"/>, <see cref="StorageError.Version"/>, <see cref="StorageError.Corrupt"/> or an I/O failure.</exception>
    public static async Task<NvmeTier> OpenAsync(NvmeTierOptions options, ILogger logger, CancellationToken cancellationToken = default)
    {
        options = options.Validated();
        var folderLock = FolderLock.Take(options.Folder);
        DurableStore? catalog = null;
        try
        {
            Directory.CreateDirectory(Path.Combine(options.Folder, "blobs"));
            var catalogOptions = new DurableStoreOptions { Folder = Path.Combine(options.Folder, "catalog"), CompactionFloorBytes = options.MetadataBytes / 4, FaultPoint = options.FaultPoint };
            var wasDamaged = false;
            try
            {
                catalog = await DurableStore.OpenAsync(catalogOptions, cancellationToken);
            }
            catch (StorageException cause) when (cause.Error == StorageError.Corrupt)
            {
                wasDamaged = true;
                catalog = await ReplaceCatalogAsync(catalogOptions, cause, logger, cancellationToken);
            }

            var tier = new NvmeTier(options, folderLock, catalog, logger);
            await tier.RecoverAsync(wasDamaged);
            return tier;
        }
        catch
        {
            if (catalog is not null)
            {
                await catalog.DisposeAsync();
            }

            folderLock.Dispose();
            throw;
        }
    }

    /// <summary>Leases a blob; it is admitted if it is not here, which may evict others. Nothing is fetched before it is read.</summary>
    /// <exception cref="StorageException"><see cref="StorageError.Full"/>: it does not fit beside what is in use; the message has the figures.</exception>
    public async Task<BlobLease> OpenAsync(BlobSource source, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        Platform.DataPlane.ObjectStorage.ObjectKey.ThrowIfInvalid(source.Key);
        ArgumentOutOfRangeException.ThrowIfNegative(source.LengthBytes, nameof(source));
        if (TryLease(source) is { } lease)
        {
            return lease;
        }

        await _admission.WaitAsync(cancellationToken);
        try
        {
            return TryLease(source) ?? await AdmitAsync(source);
        }
        finally
        {
            _admission.Release();
        }
    }

    /// <summary>Leases a blob that is here, whatever its source; null if it is not. Chunks that are missing cannot be read through such a lease.</summary>
    public BlobLease? TryOpen(string key)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _blobs.TryGetValue(key, out var blob) ? Lease(blob, null) : null;
        }
    }

    /// <summary>Content bytes of a version of a blob that are here; 0 if it is not.</summary>
    public long LandedBytesOf(string key, string etag)
    {
        lock (_gate)
        {
            return _blobs.TryGetValue(key, out var blob) && blob.Record.ETag == etag ? blob.LandedBytes : 0;
        }
    }

    /// <summary>Every blob, by key.</summary>
    public Task<IReadOnlyList<TierBlob>> ListAsync(CancellationToken cancellationToken = default)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_gate)
        {
            return Task.FromResult<IReadOnlyList<TierBlob>>([.. _blobs.Values.OrderBy(blob => blob.Record.Key, StringComparer.Ordinal).Select(Describe)]);
        }
    }

    /// <summary>Says why a key is, or is not, here, and what would evict it.</summary>
    public TierExplanation Explain(string key)
    {
        lock (_gate)
        {
            if (!_blobs.TryGetValue(key, out var blob))
            {
                return new(key, null, _removals.GetValueOrDefault(key, "It was not asked for since this tier was opened."), null, null, UsedBytes, LimitBytes);
            }

            var order = _budget.VictimOrder(_clock).ToList();
            var rank = order.IndexOf(blob);
            var before = order.Take(Math.Max(rank, 0)).Sum(victim => victim.AllocatedBytes);
            var state = blob.IsSealed ? "whole and sealed" : $"{blob.LandedBytes} of {blob.Layout.LengthBytes} bytes have landed; it goes on where it stopped when it is read";
            return new(
                key,
                Describe(blob),
                $"It was read from object '{blob.Record.ObjectKey}' and is {state}.",
                blob.Record.Durability == Durability.OnlyCopy
                    ? $"Nothing, while it is the only copy. Uploads tried: {blob.Upload.Tries}{(blob.Upload.LastFailure is { } failure ? $"; the last failed: {failure}" : "")}."
                    : rank < 0
                    ? $"Nothing, while it has {blob.Leases} leases."
                    : $"A new blob that needs more than the {LimitBytes - UsedBytes + before} bytes which are free or go before it. In its class ({blob.Class}) S3-FIFO decides, between classes the cost of a miss times uses over age.",
                rank < 0 ? null : rank,
                UsedBytes,
                LimitBytes);
        }
    }

    /// <summary>Writes a blob that is nowhere else: acknowledged when it is durable on this node, and never evicted before an object holds a copy.</summary>
    /// <param name="key">Its key; a blob that has it is replaced in the same instant in which the new one becomes durable.</param>
    /// <param name="tierClass">What it is for.</param>
    /// <param name="content">Its bytes, from front to back.</param>
    /// <param name="lengthBytes">Exactly how many.</param>
    /// <param name="cancellationToken">Stops the writing; nothing remains of it then.</param>
    /// <exception cref="StorageException"><see cref="StorageError.Full"/>: no room, or too many only copies and no uploads; <see cref="StorageError.Truncated"/>: fewer bytes than announced.</exception>
    public async Task PutAsync(string key, TierClass tierClass, Stream content, long lengthBytes, CancellationToken cancellationToken = default)
    {
        Platform.DataPlane.ObjectStorage.ObjectKey.ThrowIfInvalid(key);
        ArgumentNullException.ThrowIfNull(content);
        ArgumentOutOfRangeException.ThrowIfNegative(lengthBytes);
        var blob = await ReserveAsync(key, tierClass, lengthBytes, cancellationToken);
        try
        {
            blob.OpenFile(create: true);
            Posix.SyncFolder(Path.Combine(Options.Folder, "blobs"));
            await blob.WriteAsync(content, cancellationToken);
            await PublishAsync(blob);
        }
        catch (Exception cause)
        {
            lock (_gate)
            {
                _writing.Remove(blob);
                _budget.Remove(blob);
            }

            await UndoAdmissionAsync(blob);
            if (cause is (IOException or UnauthorizedAccessException) and not StorageException)
            {
                throw StorageException.From(cause, $"Blob '{key}' of {lengthBytes} bytes cannot be written to the tier at '{Options.Folder}'");
            }

            throw;
        }

        _uploader?.Wake();
    }

    /// <summary>Starts to copy only copies to object storage, those of earlier runs included, one after the other, until the tier is disposed. A copy that fails is tried again with growing pauses.</summary>
    /// <param name="storage">Where to.</param>
    /// <param name="objectKeyOf">The object's key for a blob's key.</param>
    public void StartUploads(IObjectStorage storage, Func<string, string> objectKeyOf)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _uploader ??= new TierUploader(this, storage, objectKeyOf);
        }
    }

    /// <summary>Completes when no blob is an only copy any more.</summary>
    public async Task WhenUploadedAsync(CancellationToken cancellationToken = default)
    {
        while (true)
        {
            Task uploaded;
            lock (_gate)
            {
                if (!OnlyCopies().Any())
                {
                    return;
                }

                uploaded = _roomForOnlyCopies.Task;
            }

            await uploaded.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Removes a blob. While it is leased, its users keep reading; the key is free at once.</summary>
    /// <returns>False if it was not here.</returns>
    public async Task<bool> RemoveAsync(string key, CancellationToken cancellationToken = default)
    {
        await _admission.WaitAsync(cancellationToken);
        try
        {
            Blob? blob;
            lock (_gate)
            {
                if (!_blobs.TryGetValue(key, out blob))
                {
                    return false;
                }
            }

            await RemoveAsync(blob, "it was removed on request");
            return true;
        }
        finally
        {
            _admission.Release();
        }
    }

    /// <summary>Compares every chunk of every blob with its checksum.</summary>
    /// <returns>One line per damaged chunk, with file and offset.</returns>
    public async IAsyncEnumerable<string> VerifyAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        foreach (var item in await ListAsync(cancellationToken))
        {
            Blob? blob;
            lock (_gate)
            {
                if (!_blobs.TryGetValue(item.Key, out blob))
                {
                    continue;
                }

                blob.Leases++;
            }

            try
            {
                foreach (var offset in await blob.VerifyAsync(cancellationToken))
                {
                    yield return $"'{blob.FilePath}', offset {offset}: damaged chunk of blob '{item.Key}'";
                }
            }
            finally
            {
                Release(blob);
            }
        }
    }

    /// <summary>Waits for chunks that are on their way and closes the files. Leases are worth nothing afterwards.</summary>
    public async ValueTask DisposeAsync()
    {
        List<Blob> blobs;
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            blobs = [.. _blobs.Values, .. _leaving, .. _writing];
        }

        if (_uploader is not null)
        {
            await _uploader.DisposeAsync();
        }

        foreach (var blob in blobs)
        {
            await blob.QuiesceAsync();
            blob.Dispose();
        }

        await Catalog.DisposeAsync();
        Device.Dispose();
        Buffers.Dispose();
        Meter.Dispose();
        _lock.Dispose();
    }

    internal void Release(Blob blob)
    {
        lock (_gate)
        {
            if (--blob.Leases > 0 || !blob.IsRemoved || _disposed)
            {
                return;
            }
        }

        DeleteFile(blob);
    }

    private BlobLease? TryLease(BlobSource source)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _blobs.TryGetValue(source.Key, out var blob) && IsSameVersion(blob.Record, source) ? Lease(blob, source) : null;
        }
    }

    private static bool IsSameVersion(BlobRecord record, BlobSource source) =>
        record.ETag == source.ETag && record.ObjectKey == source.ObjectKey && record.LengthBytes == source.LengthBytes;

    private BlobLease Lease(Blob blob, BlobSource? source)
    {
        if (blob.LastUsed > 0)
        {
            _budget.Touch(blob);
        }

        Meter.Opened(blob.Class, hit: blob.IsSealed);
        blob.Leases++;
        blob.LastUsed = ++_clock;
        return new BlobLease(this, blob, source);
    }

    /// <summary>Makes room and a new blob. One at a time.</summary>
    private async Task<BlobLease> AdmitAsync(BlobSource source)
    {
        Blob? old;
        lock (_gate)
        {
            _blobs.TryGetValue(source.Key, out old);
        }

        if (old is not null)
        {
            if (old.Record.Durability == Durability.OnlyCopy)
            {
                throw new StorageException(StorageError.Changed, $"Blob '{source.Key}' was written here and is not yet in object storage; object '{source.ObjectKey}' is another version. Wait for its upload, or remove it.");
            }

            await RemoveAsync(old, $"object '{source.ObjectKey}' changed: ETag {source.ETag}, the blob had {old.Record.ETag}");
        }

        var layout = new BlobLayout(source.LengthBytes, Options.ChunkBytes);
        await MakeRoomAsync(source.Key, source.Class, layout.AllocatedBytes);
        var blob = new Blob(this, new BlobRecord(_nextId++, source.Key, source.ObjectKey, source.ETag, source.LengthBytes, layout.ChunkBytes, source.Class, Durability.Recoverable, null));
        Interlocked.Add(ref _usedBytes, layout.AllocatedBytes);
        try
        {
            await Catalog.CommitAsync([new(BlobLayout.RecordKey(blob.Record.Id), blob.Record.Write())]);
            blob.OpenFile(create: true);
            Posix.SyncFolder(Path.Combine(Options.Folder, "blobs"));
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            await UndoAdmissionAsync(blob);
            throw StorageException.From(cause, $"Blob '{source.Key}' of {source.LengthBytes} bytes cannot be placed in the tier at '{Options.Folder}' ({UsedBytes} of {LimitBytes} bytes used)");
        }

        blob.SealIfWhole();
        lock (_gate)
        {
            _blobs.Add(source.Key, blob);
            _budget.Add(blob);
            return Lease(blob, source);
        }
    }

    /// <summary>Takes room for an only copy, waiting for uploads if need be. Others are admitted meanwhile.</summary>
    private async Task<Blob> ReserveAsync(string key, TierClass tierClass, long lengthBytes, CancellationToken cancellationToken)
    {
        var layout = new BlobLayout(lengthBytes, Options.ChunkBytes);
        while (true)
        {
            await _admission.WaitAsync(cancellationToken);
            Task room;
            try
            {
                if (HasRoomForOnlyCopy(key, layout.AllocatedBytes, out room))
                {
                    await MakeRoomAsync(key, tierClass, layout.AllocatedBytes);
                    var blob = new Blob(this, new BlobRecord(_nextId++, key, "", "", lengthBytes, layout.ChunkBytes, tierClass, Durability.OnlyCopy, null));
                    lock (_gate)
                    {
                        Interlocked.Add(ref _usedBytes, layout.AllocatedBytes);
                        _writing.Add(blob);
                        _budget.Add(blob);
                    }

                    return blob;
                }
            }
            finally
            {
                _admission.Release();
            }

            Meter.WriterWaits();
            await room.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Seals a written blob and puts it in the place of one with the same key, in one commit. A crash before that leaves a file without a record.</summary>
    private async Task PublishAsync(Blob blob)
    {
        await _admission.WaitAsync(CancellationToken.None);
        try
        {
            Blob? old;
            lock (_gate)
            {
                _blobs.TryGetValue(blob.Key, out old);
            }

            await blob.SealWrittenAsync(old is null ? [] : [new DurableWrite(BlobLayout.RecordKey(old.Record.Id), null)]);
            if (old is not null)
            {
                await RemoveAsync(old, "it was written anew");
            }

            lock (_gate)
            {
                _writing.Remove(blob);
                _blobs.Add(blob.Key, blob);
                blob.LastUsed = ++_clock;
            }
        }
        finally
        {
            _admission.Release();
        }
    }

    /// <summary>An only copy that waits for its upload; null if there is none. It is leased for the caller.</summary>
    internal BlobLease? NextUpload(out Blob? blob)
    {
        lock (_gate)
        {
            blob = _disposed ? null : OnlyCopies().Except(_writing).MinBy(copy => copy.Record.Id);
            return blob is null ? null : Lease(blob, null);
        }
    }

    /// <summary>Lets writers go on that waited for an upload.</summary>
    internal void Uploaded()
    {
        TaskCompletionSource waiting;
        lock (_gate)
        {
            waiting = _roomForOnlyCopies;
            _roomForOnlyCopies = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        waiting.SetResult();
    }

    private async Task UndoAdmissionAsync(Blob blob)
    {
        blob.Dispose();
        try
        {
            Device.Fault("blob.delete");
            File.Delete(blob.FilePath);
            Interlocked.Add(ref _usedBytes, -blob.Layout.AllocatedBytes);
            await Catalog.CommitAsync([new(BlobLayout.RecordKey(blob.Record.Id), null)]);
        }
        catch (IOException cause)
        {
            // A file that could not be deleted stays counted; a record that could not be is dropped at the next open, which finds no file.
            NvmeLog.Dropped(Logger, blob.Record.Key, cause.Message);
        }
    }

    private async Task MakeRoomAsync(string key, TierClass tierClass, long neededBytes)
    {
        while (true)
        {
            Blob? victim;
            long inUse;
            long onlyCopies;
            lock (_gate)
            {
                // What is removed but still read takes room as well.
                if (UsedBytes + neededBytes <= LimitBytes && _budget.Fits(tierClass, neededBytes))
                {
                    return;
                }

                victim = (Blob?)_budget.PickVictim(tierClass, neededBytes, _clock);
                inUse = _blobs.Values.Concat(_leaving).Where(blob => blob.Leases > 0).Sum(blob => blob.AllocatedBytes);
                onlyCopies = OnlyCopies().Sum(blob => blob.AllocatedBytes);
            }

            if (victim is null)
            {
                throw new StorageException(
                    StorageError.Full,
                    $"Blob '{key}' needs {neededBytes} bytes; the tier at '{Options.Folder}' has {LimitBytes - UsedBytes} of {LimitBytes} free, {inUse} in use and {onlyCopies} that are only copies; "
                    + $"class {tierClass} has {_budget.BytesOf(tierClass)} of at most {_budget.CeilingOf(tierClass)}. Raise the limit, or use fewer blobs at once.");
            }

            await RemoveAsync(victim, $"room was needed for '{key}' ({neededBytes} bytes, {tierClass})", onlyIfUnused: true);
        }
    }

    private IEnumerable<Blob> OnlyCopies() => _blobs.Values.Concat(_writing).Where(blob => blob.Record.Durability == Durability.OnlyCopy);

    /// <summary>True if a new only copy fits under its limit; else <paramref name="room"/> is what to wait for. Writers are slowed here, before the tier overflows.</summary>
    private bool HasRoomForOnlyCopy(string key, long neededBytes, out Task room)
    {
        var limit = Options.OnlyCopyLimitBytes ?? (LimitBytes / 2);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            var bytes = OnlyCopies().Sum(blob => blob.AllocatedBytes);
            room = _roomForOnlyCopies.Task;
            if (bytes + neededBytes <= limit)
            {
                return true;
            }

            if (_uploader is null || neededBytes > limit)
            {
                throw new StorageException(
                    StorageError.Full,
                    $"Blob '{key}' needs {neededBytes} bytes as an only copy; the tier at '{Options.Folder}' holds {bytes} of at most {limit} such bytes{(_uploader is null ? " and nothing uploads them" : "")}. Start uploads, or raise {nameof(NvmeTierOptions.OnlyCopyLimitBytes)}.");
            }

            return false;
        }
    }

    private async Task RemoveAsync(Blob blob, string reason, bool onlyIfUnused = false)
    {
        lock (_gate)
        {
            if (blob.IsRemoved || (onlyIfUnused && blob.Leases > 0))
            {
                return;
            }

            blob.IsRemoved = true;
            _blobs.Remove(blob.Record.Key);
            _budget.Remove(blob);
            _leaving.Add(blob);
            blob.Leases++;
            Remember(blob.Record.Key, $"It was dropped at {Options.Time.GetUtcNow():u}: {reason}.");
        }

        try
        {
            await blob.QuiesceAsync();
            await Catalog.CommitAsync(
            [
                new(BlobLayout.RecordKey(blob.Record.Id), null),
                .. Catalog.Keys(BlobLayout.ChunkPrefix(blob.Record.Id)).Select(key => new DurableWrite(key, null)),
            ]);
        }
        catch (StorageException)
        {
            lock (_gate)
            {
                _leaving.Remove(blob);
                _blobs.TryAdd(blob.Record.Key, blob);
                _budget.Add(blob);
                blob.IsRemoved = false;
                blob.Leases--;
            }

            throw;
        }

        NvmeLog.Evicted(Logger, blob.Record.Key, blob.Record.LengthBytes, reason);
        Meter.Evicted(blob.Class, blob.AllocatedBytes);
        Release(blob);
    }

    /// <summary>Deletes the file of a blob that the catalog no longer has. One that cannot be deleted stays counted until the next open removes it.</summary>
    private void DeleteFile(Blob blob)
    {
        try
        {
            Device.Fault("blob.delete");
            blob.Dispose();
            File.Delete(blob.FilePath);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw StorageException.From(cause, $"'{blob.FilePath}' of the removed blob '{blob.Record.Key}' cannot be deleted");
        }

        lock (_gate)
        {
            if (_leaving.Remove(blob))
            {
                Interlocked.Add(ref _usedBytes, -blob.Layout.AllocatedBytes);
            }
        }
    }

    private void Remember(string key, string reason)
    {
        if (_removals.TryAdd(key, reason))
        {
            _removalOrder.Enqueue(key);
        }

        _removals[key] = reason;
        if (_removalOrder.Count > RememberedRemovals)
        {
            _removals.Remove(_removalOrder.Dequeue());
        }
    }

    private TierBlob Describe(Blob blob) =>
        new(blob.Record.Key, blob.Layout.LengthBytes, blob.LandedBytes, blob.Layout.AllocatedBytes, blob.IsSealed, blob.Leases, blob.Record.ObjectKey, blob.Record.ETag, blob.Class, blob.Record.Durability);

    /// <summary>Sets a damaged catalog aside and starts a new one with what can be read of it. Records that are too old are found out by the files, the checksums and the ETags.</summary>
    private static async Task<DurableStore> ReplaceCatalogAsync(DurableStoreOptions options, StorageException cause, ILogger logger, CancellationToken cancellationToken)
    {
        var salvaged = await DurableStore.SalvageAsync(options.Folder);
        var aside = options.Folder + ".damaged";
        if (Directory.Exists(aside))
        {
            Directory.Delete(aside, recursive: true);
        }

        Directory.Move(options.Folder, aside);
        var catalog = await DurableStore.OpenAsync(options, cancellationToken);
        await catalog.CommitAsync(salvaged, cancellationToken);
        NvmeLog.CatalogDamaged(logger, cause.Message, salvaged.Count, aside, LostFolder(options.Folder));
        return catalog;
    }

    private static string LostFolder(string catalogFolder) => Path.Combine(Path.GetDirectoryName(catalogFolder)!, "lost");

    private async Task RecoverAsync(bool keepOrphans)
    {
        var known = new HashSet<string>(StringComparer.Ordinal);
        var dropped = new List<DurableWrite>();
        foreach (var key in Catalog.Keys("blob/").ToList())
        {
            Catalog.TryGet(key, out var bytes);
            var record = BlobRecord.Read(bytes);
            _nextId = Math.Max(_nextId, record.Id + 1);
            var blob = new Blob(this, record);
            if (Restore(blob) is { } fault || !_blobs.TryAdd(record.Key, blob) && (fault = "another blob has its key") is not null)
            {
                NvmeLog.Dropped(Logger, record.Key, fault);
                Remember(record.Key, $"It was dropped when the tier was opened: {fault}.");
                blob.Dispose();
                dropped.Add(new(key, null));
                dropped.AddRange(Catalog.Keys(BlobLayout.ChunkPrefix(record.Id)).Select(chunk => new DurableWrite(chunk, null)));
                continue;
            }

            known.Add(blob.FilePath);
            _budget.Add(blob);
            blob.LastUsed = ++_clock;
            _usedBytes += record.Layout.AllocatedBytes;
            blob.SealIfWhole();
        }

        await Catalog.CommitAsync(dropped);
        var orphans = Directory.GetFiles(Path.Combine(Options.Folder, "blobs")).Where(path => !known.Contains(path)).ToList();
        foreach (var orphan in orphans)
        {
            // A name like this must not be given to another blob while this file is there.
            if (long.TryParse(Path.GetFileNameWithoutExtension(orphan), System.Globalization.NumberStyles.HexNumber, null, out var id))
            {
                _nextId = Math.Max(_nextId, id + 1);
            }

            if (keepOrphans)
            {
                var lost = Directory.CreateDirectory(LostFolder(Path.Combine(Options.Folder, "catalog"))).FullName;
                File.Move(orphan, Path.Combine(lost, Path.GetFileName(orphan)), overwrite: true);
            }
            else
            {
                File.Delete(orphan);
            }
        }

        NvmeLog.Opened(Logger, Options.Folder, _blobs.Count, UsedBytes, LimitBytes, orphans.Count);
        await ShrinkAsync();
    }

    /// <summary>Opens a recorded blob's file and notes its chunks.</summary>
    /// <returns>Null, or why the blob is lost.</returns>
    private string? Restore(Blob blob)
    {
        var file = new FileInfo(blob.FilePath);
        var expected = blob.IsSealed ? blob.Layout.LengthBytes : blob.Layout.AllocatedBytes;

        // A blob may be cut to its exact length before its seal is recorded.
        if (!file.Exists || (file.Length != expected && file.Length != blob.Layout.LengthBytes))
        {
            return file.Exists ? $"'{file.FullName}' has {file.Length} bytes, its record says {expected}" : $"'{file.FullName}' is missing";
        }

        blob.OpenFile(create: false);
        var prefix = BlobLayout.ChunkPrefix(blob.Record.Id);
        foreach (var key in blob.IsSealed ? [] : Catalog.Keys(prefix))
        {
            if (Catalog.TryGet(key, out var crc))
            {
                blob.Recover(Convert.ToInt32(key[prefix.Length..], 16), BinaryPrimitives.ReadUInt32LittleEndian(crc));
            }
        }

        return null;
    }

    /// <summary>Evicts until a limit that was lowered since the last time holds.</summary>
    private async Task ShrinkAsync()
    {
        while (UsedBytes > LimitBytes && _budget.PickVictim(TierClass.Shards, 0, _clock) is Blob victim)
        {
            await RemoveAsync(victim, "the tier was opened with a lower limit");
        }
    }
}
