using Platform.DataPlane.Nvme;
using Platform.DataPlane.Nvme.Store;

namespace Platform.DataPlane;

/// <summary>Keys and values on disk, changed by atomic commits: a commit that has completed survives any crash, and one that has not is there whole or not at all.</summary>
/// <remarks>
/// The store is a <see cref="DurableLog"/> with one entry per commit, and the live values in memory. When the log is mostly history, live values are copied to its
/// tail and its head is given back, so that disk space and the time to open follow the content. Commits of many callers share flushes.
/// All members may be called from any thread. Values are handed out as they are held: do not change them.
/// </remarks>
public sealed class DurableStore : IAsyncDisposable
{
    private const int CopyBatchBytes = 256 * 1024;

    private readonly DurableStoreOptions _options;
    private readonly DurableLog _log;
    private readonly StoreIndex _index;
    private readonly Lock _admission = new();
    private long _admittedBytes;
    private int _compacting;
    private Task _compaction = Task.CompletedTask;
    private volatile bool _disposed;

    private DurableStore(DurableStoreOptions options, DurableLog log, StoreIndex index)
    {
        _options = options;
        _log = log;
        _index = index;
    }

    /// <summary>Number of keys.</summary>
    public int Count => _index.Count;

    /// <summary>Bytes of keys and values in memory.</summary>
    public long LiveBytes => _index.LiveBytes;

    /// <summary>Bytes of the log on disk, history included.</summary>
    public long LogBytes => _log.TailAddress - _log.BeginAddress;

    /// <summary>What its device has done since the store was opened, compaction included.</summary>
    public DeviceFigures Device => _log.Device;

    /// <summary>Opens the store of a folder, or makes an empty one.</summary>
    /// <exception cref="StorageException"><see cref="StorageError.InUse"/>, <see cref="StorageError.Corrupt"/> (with file and offset), <see cref="StorageError.Version"/> or an I/O failure.</exception>
    public static Task<DurableStore> OpenAsync(DurableStoreOptions options, CancellationToken cancellationToken = default) =>
        Task.Run(() => Open(options, cancellationToken), cancellationToken);

    /// <summary>Reads a value as of the newest durable commit.</summary>
    /// <returns>False if the key is absent; <paramref name="value"/> is empty then.</returns>
    public bool TryGet(string key, out byte[] value) => _index.TryGet(key, out value);

    /// <summary>Keys that start with <paramref name="prefix"/> (all for an empty one), in ordinal order, as of the call.</summary>
    public IEnumerable<string> Keys(string prefix) => _index.Keys(prefix);

    /// <summary>Applies writes together; of two writes to one key the later counts.</summary>
    /// <param name="writes">The writes; none is allowed and does nothing.</param>
    /// <param name="cancellationToken">Ends the waiting; a commit already on its way may still become durable.</param>
    /// <returns>Completes when the commit is durable and readable.</returns>
    /// <exception cref="StorageException">The commit is not acknowledged: <see cref="StorageError.Full"/>, <see cref="StorageError.Io"/>, <see cref="StorageError.TooLarge"/>.</exception>
    public async ValueTask CommitAsync(IReadOnlyList<DurableWrite> writes, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(writes);
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (writes.Count == 0)
        {
            return;
        }

        var cost = CostOf(writes);
        Admit(cost);
        try
        {
            await _log.Append(
                StoreEntry.OfCommit(writes),
                address =>
                {
                    foreach (var write in writes)
                    {
                        _index.Apply(write.Key, write.Value, address);
                    }
                },
                cancellationToken);
        }
        finally
        {
            lock (_admission)
            {
                _admittedBytes -= cost;
            }
        }

        CompactIfDue();
    }

    /// <summary>Waits for what is under way, then closes the files.</summary>
    public async ValueTask DisposeAsync()
    {
        _disposed = true;
        await _compaction;
        await _log.DisposeAsync();
    }

    /// <summary>Reads what can be read of a damaged store: every commit before the damage.</summary>
    /// <returns>The keys and values as of then; none if not even that can be read.</returns>
    internal static async Task<IReadOnlyList<DurableWrite>> SalvageAsync(string folder)
    {
        var index = new StoreIndex();
        try
        {
            await using var log = OpenLog(new DurableStoreOptions { Folder = folder }.Validated());
            Replay(log, index, CancellationToken.None);
        }
        catch (StorageException cause) when (cause.Error == StorageError.Corrupt)
        {
            // That is why we are here.
        }

        return [.. index.Keys("").Select(key => new DurableWrite(key, index.TryGet(key, out var value) ? value : []))];
    }

    private static DurableLog OpenLog(DurableStoreOptions options) => DurableLog.Open(new DurableLogOptions
    {
        Folder = options.Folder,
        PageBytes = 64 * 1024,
        MemoryPages = 4,
        SegmentBytes = 1024 * 1024,
        MaxEntryBytes = int.MaxValue,
        FaultPoint = options.FaultPoint,
        OnBuffered = options.OnBuffered,
        IsBuffered = options.IsBuffered,
    });

    private static DurableStore Open(DurableStoreOptions options, CancellationToken cancellationToken)
    {
        options = options.Validated();
        var log = OpenLog(options);
        try
        {
            var index = new StoreIndex();
            Replay(log, index, cancellationToken);
            return new DurableStore(options, log, index);
        }
        catch
        {
            log.DisposeAsync().AsTask().GetAwaiter().GetResult();
            throw;
        }
    }

    /// <summary>Rebuilds the index. A copy counts only if no commit after the one it copies wrote or deleted the key, so deletions are remembered to the end.</summary>
    private static void Replay(DurableLog log, StoreIndex index, CancellationToken cancellationToken)
    {
        var deleted = new Dictionary<string, long>(StringComparer.Ordinal);
        using var reader = log.OpenReader(0);
        while (reader.TryRead(out var address, out var entry))
        {
            cancellationToken.ThrowIfCancellationRequested();
            foreach (var (key, origin, value) in StoreEntry.Read(entry))
            {
                if (origin is null)
                {
                    index.Apply(key, value, address);
                    if (value is null)
                    {
                        deleted[key] = address;
                    }
                }
                else if (index.VersionOf(key) is { } version)
                {
                    index.ApplyCopy(key, origin.Value, address);
                }
                else if (!deleted.TryGetValue(key, out var deletion) || deletion < origin)
                {
                    index.Restore(key, value!, origin.Value, address);
                }
            }
        }
    }

    private long CostOf(IReadOnlyList<DurableWrite> writes)
    {
        long cost = 0;
        long bytes = 0;
        foreach (var write in writes)
        {
            ArgumentException.ThrowIfNullOrEmpty(write.Key, nameof(writes));
            cost += StoreIndex.Cost(write.Key, write.Value);
            bytes += write.Key.Length + (write.Value?.Length ?? 0);
        }

        if (bytes > _options.MaxCommitBytes)
        {
            throw new StorageException(StorageError.TooLarge, $"A commit of {bytes} bytes to the store in '{_options.Folder}' is over its limit of {_options.MaxCommitBytes}. Split it, or raise {nameof(DurableStoreOptions.MaxCommitBytes)}.");
        }

        return cost;
    }

    /// <summary>Counts a commit against the limit until it is applied. Deletions always pass, so a full store can be emptied.</summary>
    private void Admit(long cost)
    {
        lock (_admission)
        {
            if (cost > 0 && _index.LiveBytes + _admittedBytes + cost > _options.LimitBytes)
            {
                throw new StorageException(StorageError.Full, $"The store in '{_options.Folder}' holds {_index.LiveBytes} bytes and a commit needs {cost} more; its limit is {_options.LimitBytes}. Delete keys, or raise {nameof(DurableStoreOptions.LimitBytes)}.");
            }

            _admittedBytes += cost;
        }
    }

    private void CompactIfDue()
    {
        if (LogBytes > Math.Max(_options.CompactionFloorBytes, 3 * _index.LiveBytes) && !_disposed && Interlocked.Exchange(ref _compacting, 1) == 0)
        {
            _compaction = Task.Run(CompactAsync);
        }
    }

    /// <summary>Copies live values from the head of the log to its tail and gives the head back.</summary>
    /// <remarks>
    /// The cut is a marker entry: everything before it, copies of earlier compactions included, is in the index by the time it is durable. So whatever is cut off is
    /// either copied behind the cut or overwritten, and no copy outlives the deletion that followed its original.
    /// </remarks>
    private async Task CompactAsync()
    {
        try
        {
            var cut = await _log.AppendAsync(StoreEntry.OfCopies([]));
            var batch = new List<(string Key, long Origin, byte[] Value)>();
            long bytes = 0;
            foreach (var copy in _index.LocatedBefore(cut))
            {
                batch.Add(copy);
                bytes += copy.Value.Length + copy.Key.Length;
                if (bytes >= CopyBatchBytes)
                {
                    await CopyAsync(batch);
                    batch.Clear();
                    bytes = 0;
                }
            }

            await CopyAsync(batch);
            await _log.TruncateUntilAsync(cut);
        }
        catch (Exception cause) when (cause is StorageException or ObjectDisposedException)
        {
            // The log is as it was, only longer. Whoever commits next meets the same trouble and hears of it; compaction is tried again after that.
        }
        finally
        {
            Volatile.Write(ref _compacting, 0);
        }
    }

    private async Task CopyAsync(List<(string Key, long Origin, byte[] Value)> copies)
    {
        if (copies.Count == 0)
        {
            return;
        }

        var written = copies.ToArray();
        await _log.Append(
            StoreEntry.OfCopies(written),
            address =>
            {
                foreach (var (key, origin, _) in written)
                {
                    _index.ApplyCopy(key, origin, address);
                }
            },
            CancellationToken.None);
    }
}
