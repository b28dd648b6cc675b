using System.Runtime.CompilerServices;
using Platform.DataPlane.Nvme;
using Platform.DataPlane.Nvme.Io;
using Platform.DataPlane.Nvme.Log;

namespace Platform.DataPlane;

/// <summary>A log of entries on disk: an append that has completed survives any crash, and entries are read back in the order of their addresses.</summary>
/// <remarks>
/// Appends that come while a commit is under way share the next one, so many writers cost few flushes. Nothing runs while nothing is appended.
/// All members may be called from any thread. A failed commit fails its appends with a <see cref="StorageException"/>; the log goes on from what is durable,
/// so once the cause is gone (space freed, say) the next append succeeds.
/// </remarks>
public sealed class DurableLog : IAsyncDisposable
{
    private readonly DurableLogOptions _options;
    private readonly FolderLock _lock;
    private readonly Lock _gate = new();
    private LogIncarnation _log;
    private LogBatch? _next;
    private LogBatch? _underWay;
    private TaskCompletionSource? _committing;
    private bool _disposed;

    private DurableLog(DurableLogOptions options, FolderLock folderLock)
    {
        _options = options;
        _lock = folderLock;
        _log = LogIncarnation.Open(options, Device, Committed);
    }

    /// <summary>Address of the first entry that is still there.</summary>
    public long BeginAddress => Volatile.Read(ref _log).BeginAddress;

    /// <summary>End of the durable entries: reads go up to here.</summary>
    public long TailAddress => Math.Max(Volatile.Read(ref _log).DurableAddress, BeginAddress);

    /// <summary>What its device has done since the log was opened.</summary>
    internal DeviceFigures Device { get; } = new();

    /// <summary>Opens the log of a folder, or makes an empty one.</summary>
    /// <exception cref="StorageException"><see cref="StorageError.InUse"/>, <see cref="StorageError.Corrupt"/>, <see cref="StorageError.Version"/> or an I/O failure.</exception>
    public static Task<DurableLog> OpenAsync(DurableLogOptions options, CancellationToken cancellationToken = default) =>
        Task.Run(() => Open(options), cancellationToken);

    /// <summary>Appends an entry.</summary>
    /// <param name="entry">0 to <see cref="DurableLogOptions.MaxEntryBytes"/> bytes; copied before the call returns.</param>
    /// <param name="cancellationToken">Ends the waiting; an entry already on its way may still become durable.</param>
    /// <returns>The entry's address, once it is durable.</returns>
    /// <exception cref="StorageException">It is not durable: <see cref="StorageError.Full"/>, <see cref="StorageError.Io"/>, <see cref="StorageError.TooLarge"/>.</exception>
    public ValueTask<long> AppendAsync(ReadOnlyMemory<byte> entry, CancellationToken cancellationToken = default) =>
        new(Append(entry.Span, null, cancellationToken));

    /// <summary>Reads entries in order, from an address up to <see cref="TailAddress"/> as it is when the reading gets there.</summary>
    /// <param name="fromAddress">An address that <see cref="AppendAsync"/> returned, or anything below <see cref="BeginAddress"/> for all.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="StorageException"><see cref="StorageError.Corrupt"/>: a record is damaged; the message has file and offset.</exception>
    public async IAsyncEnumerable<(long Address, byte[] Entry)> ReadAsync(long fromAddress, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        // The iterator waits for pages in a blocking way, so it starts off the caller's thread.
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        using var reader = OpenReader(fromAddress);
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!reader.TryRead(out var address, out var entry))
            {
                yield break;
            }

            yield return (address, entry);
            reader.ExtendTo(TailAddress);
        }
    }

    /// <summary>Gives up all entries before an address, as <see cref="TruncateUntilAsync"/>, without waiting. A failure shows at the next append.</summary>
    public void TruncateUntil(long address)
    {
        bool begins;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _log.TruncateUntil(Math.Min(address, _log.DurableAddress));
            (var batch, begins) = NextBatch();
            batch.IsTruncation = true;
        }

        Begin(begins);
    }

    /// <summary>Gives up all entries before an address; completes when that is durable and the files that held nothing else are deleted.</summary>
    /// <param name="address">Address of an entry, or <see cref="TailAddress"/> to give up all.</param>
    /// <param name="cancellationToken">Ends the waiting.</param>
    public async ValueTask TruncateUntilAsync(long address, CancellationToken cancellationToken = default)
    {
        LogBatch batch;
        bool begins;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _log.TruncateUntil(Math.Min(address, _log.DurableAddress));
            (batch, begins) = NextBatch();
            batch.IsTruncation = true;
        }

        Begin(begins);
        await batch.Done.Task.WaitAsync(cancellationToken);
    }

    /// <summary>Waits for the commit under way, then closes the files.</summary>
    public async ValueTask DisposeAsync()
    {
        Task committing;
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            committing = _committing?.Task ?? Task.CompletedTask;
        }

        await committing;
        _log.Dispose();
        _lock.Dispose();
    }

    /// <summary>Opens the log on the calling thread, which may wait for the disk.</summary>
    internal static DurableLog Open(DurableLogOptions options)
    {
        options = options.Validated();
        FolderLock? folderLock = null;
        try
        {
            folderLock = FolderLock.Take(options.Folder);
            return new DurableLog(options, folderLock);
        }
        catch (Exception cause)
        {
            folderLock?.Dispose();
            if (cause is (IOException or UnauthorizedAccessException) and not StorageException)
            {
                throw StorageException.From(cause, $"The log in '{options.Folder}' cannot be opened");
            }

            throw;
        }
    }

    /// <summary>Appends; <paramref name="onDurable"/> runs once the entry is durable and before anybody is told, in the order of the addresses, one at a time.</summary>
    internal async Task<long> Append(ReadOnlyMemory<byte> entry, Action<long>? onDurable, CancellationToken cancellationToken) =>
        await Append(entry.Span, onDurable, cancellationToken);

    /// <summary>Opens a blocking reader over the durable entries.</summary>
    internal LogReader OpenReader(long fromAddress)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            return _log.Read(fromAddress, TailAddress);
        }
    }

    private Task<long> Append(ReadOnlySpan<byte> entry, Action<long>? onDurable, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (entry.Length > _options.MaxEntryBytes)
        {
            throw new StorageException(StorageError.TooLarge, $"An entry of {entry.Length} bytes does not fit the log in '{_options.Folder}', whose limit is {_options.MaxEntryBytes}. Split it, or raise {nameof(DurableLogOptions.MaxEntryBytes)}.");
        }

        long address;
        LogBatch batch;
        bool begins;
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            try
            {
                Revive();
                address = _log.Enqueue(entry);
            }
            catch (Exception cause) when (cause is not StorageException)
            {
                // FasterLog only knows that a write failed; the device knows why.
                var fault = _log.Fault ?? cause;
                _log.Kill(cause);
                throw Failure(fault);
            }

            (batch, begins) = NextBatch();
            batch.Until = _log.TailAddress;
            if (onDurable is not null)
            {
                batch.OnDurable.Add((address, onDurable));
            }
        }

        Begin(begins);
        return Wait(batch.Done.Task, address, cancellationToken);

        static async Task<long> Wait(Task done, long address, CancellationToken cancellationToken)
        {
            await done.WaitAsync(cancellationToken);
            return address;
        }
    }

    /// <summary>The batch that the next commit completes, and whether the caller has to begin committing once it has left the gate. Under the gate.</summary>
    private (LogBatch Batch, bool Begins) NextBatch()
    {
        _next ??= new LogBatch();
        if (_committing is not null)
        {
            return (_next, false);
        }

        _committing = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        return (_next, true);
    }

    /// <summary>Commits, if it is this caller's turn to begin. The first write starts on the caller's thread: another one would have to be woken for it.</summary>
    private void Begin(bool begins)
    {
        if (begins)
        {
            _ = CommitAsync();
        }
    }

    /// <summary>Replaces a dead incarnation by one that starts from what is durable. Under the gate.</summary>
    /// <remarks>While a commit of the dead one is under way nothing is replaced: what is appended meanwhile shares that commit's failure.</remarks>
    private void Revive()
    {
        if (_log.Fault is not null && _committing is null)
        {
            _log.Dispose();
            Volatile.Write(ref _log, LogIncarnation.Open(_options, Device, Committed, _log.Committed));
        }
    }

    private async Task CommitAsync()
    {
        while (true)
        {
            LogBatch batch;
            LogIncarnation log;
            ValueTask commit = default;
            Exception? failure = null;
            lock (_gate)
            {
                if (_next is null)
                {
                    EndCommitting();
                    return;
                }

                batch = _next;
                _next = null;
                _underWay = batch;
                log = _log;
                try
                {
                    commit = log.CommitAsync(batch.Until);
                }
                catch (Exception cause)
                {
                    failure = cause;
                }
            }

            try
            {
                if (failure is null)
                {
                    await commit;
                    batch.Complete();
                }
            }
            catch (Exception cause)
            {
                failure = cause;
            }

            if (failure is not null)
            {
                FailAll(batch, Failure(log.Fault ?? failure));
                return;
            }
        }
    }

    /// <summary>Tells those who wait, as soon as what they wait for is durable and before FASTER has come round to saying so on another thread.</summary>
    private void Committed(long until)
    {
        if (_underWay is { IsTruncation: false } batch && batch.Until <= until)
        {
            batch.Complete();
        }
    }

    /// <summary>Ends the committer: fails the batch that it had, and the next, which went into the same dead incarnation.</summary>
    private void FailAll(LogBatch batch, StorageException failure)
    {
        LogBatch? next;
        lock (_gate)
        {
            next = _next;
            _next = null;
            _log.Kill(failure);
            EndCommitting();
        }

        batch.Fail(failure);
        next?.Fail(failure);
    }

    private void EndCommitting()
    {
        _committing!.SetResult();
        _committing = null;
    }

    private StorageException Failure(Exception cause) => StorageException.From(cause, $"The log in '{_options.Folder}' cannot commit");
}
