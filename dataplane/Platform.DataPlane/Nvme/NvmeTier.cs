using System.Buffers.Binary;
using Microsoft.Extensions.Logging;
using Platform.DataPlane.HostMemory;

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
    private readonly Dictionary<string, string> _removals = new(StringComparer.Ordinal);
    private readonly Queue<string> _removalOrder = new();
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
            catalog = await DurableStore.OpenAsync(
                new DurableStoreOptions { Folder = Path.Combine(options.Folder, "catalog"), CompactionFloorBytes = options.MetadataBytes / 4, FaultPoint = options.FaultPoint },
                cancellationToken);
            var tier = new NvmeTier(options, folderLock, catalog, logger);
            await tier.RecoverAsync();
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

            var order = Victims().ToList();
            var rank = order.IndexOf(blob);
            var before = order.Take(Math.Max(rank, 0)).Sum(victim => victim.Layout.AllocatedBytes);
            var state = blob.IsSealed ? "whole and sealed" : $"{blob.LandedBytes} of {blob.Layout.LengthBytes} bytes have landed; it goes on where it stopped when it is read";
            return new(
                key,
                Describe(blob),
                $"It was read from object '{blob.Record.ObjectKey}' and is {state}.",
                rank < 0
                    ? $"Nothing, while it has {blob.Leases} leases."
                    : $"A new blob that needs more than the {LimitBytes - UsedBytes + before} bytes which are free or go before it: the blob that was leased longest ago goes first.",
                rank < 0 ? null : rank,
                UsedBytes,
                LimitBytes);
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
            blobs = [.. _blobs.Values, .. _leaving];
        }

        foreach (var blob in blobs)
        {
            await blob.QuiesceAsync();
            blob.Dispose();
        }

        await Catalog.DisposeAsync();
        Device.Dispose();
        Buffers.Dispose();
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
            await RemoveAsync(old, $"object '{source.ObjectKey}' changed: ETag {source.ETag}, the blob had {old.Record.ETag}");
        }

        var layout = new BlobLayout(source.LengthBytes, Options.ChunkBytes);
        await MakeRoomAsync(source, layout.AllocatedBytes);
        var blob = new Blob(this, new BlobRecord(_nextId++, source.Key, source.ObjectKey, source.ETag, source.LengthBytes, layout.ChunkBytes, null));
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
            return Lease(blob, source);
        }
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

    private async Task MakeRoomAsync(BlobSource source, long neededBytes)
    {
        while (UsedBytes + neededBytes > LimitBytes)
        {
            Blob? victim;
            long leasedBytes;
            lock (_gate)
            {
                victim = neededBytes > LimitBytes ? null : Victims().FirstOrDefault();
                leasedBytes = _blobs.Values.Concat(_leaving).Where(blob => blob.Leases > 0).Sum(blob => blob.Layout.AllocatedBytes);
            }

            if (victim is null)
            {
                throw new StorageException(
                    StorageError.Full,
                    $"Blob '{source.Key}' needs {neededBytes} bytes; the tier at '{Options.Folder}' has {LimitBytes - UsedBytes} of {LimitBytes} free and {leasedBytes} in use. Raise the limit, or use fewer blobs at once.");
            }

            await RemoveAsync(victim, $"room was needed for '{source.Key}' ({neededBytes} bytes)", onlyIfUnused: true);
        }
    }

    /// <summary>Blobs that may go, the first to go first. Under the gate.</summary>
    private IEnumerable<Blob> Victims() => _blobs.Values.Where(blob => blob.Leases == 0).OrderBy(blob => blob.LastUsed);

    private async Task RemoveAsync(Blob blob, string reason, bool onlyIfUnused = false)
    {
        lock (_gate)
        {
            if (onlyIfUnused && blob.Leases > 0)
            {
                return;
            }

            blob.IsRemoved = true;
            _blobs.Remove(blob.Record.Key);
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
                blob.IsRemoved = false;
                blob.Leases--;
            }

            throw;
        }

        NvmeLog.Evicted(Logger, blob.Record.Key, blob.Record.LengthBytes, reason);
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
        new(blob.Record.Key, blob.Layout.LengthBytes, blob.LandedBytes, blob.Layout.AllocatedBytes, blob.IsSealed, blob.Leases, blob.Record.ObjectKey, blob.Record.ETag);

    private async Task RecoverAsync()
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
            blob.LastUsed = ++_clock;
            _usedBytes += record.Layout.AllocatedBytes;
            blob.SealIfWhole();
        }

        await Catalog.CommitAsync(dropped);
        var orphans = Directory.GetFiles(Path.Combine(Options.Folder, "blobs")).Where(path => !known.Contains(path)).ToList();
        orphans.ForEach(File.Delete);
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
        while (UsedBytes > LimitBytes && Victims().FirstOrDefault() is { } victim)
        {
            await RemoveAsync(victim, "the tier was opened with a lower limit");
        }
    }
}
