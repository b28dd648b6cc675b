using System.Buffers.Binary;
using System.Text;
using FASTER.core;
using Platform.DataPlane.Nvme.Blocks;

namespace Platform.DataPlane.Nvme;

/// <summary>Small values by key (computed context, say), more of them than memory holds: a FasterKV on the tier's device, within a limit of its own.</summary>
/// <remarks>
/// <para>A put or delete that has completed survives any crash; those that wait at the same time share a checkpoint. When the space is used up the oldest blocks go first,
/// so a block that is not there any more is no error: compute it again.</para>
/// <para>All members may be called from any thread. After a failed write the store serves reads and refuses writes until the tier is opened again.</para>
/// </remarks>
public sealed class BlockStore : IAsyncDisposable
{
    /// <summary>Largest key, UTF-8 bytes.</summary>
    public const int MaxKeyBytes = 512;

    /// <summary>Largest value, bytes.</summary>
    public const int MaxValueBytes = 64 * 1024;

    internal const string Prefix = "blocks";
    private const int CrcBytes = 4;

    // RecordInfo, two lengths, and what rounding up takes.
    private const int RecordOverheadBytes = 32;

    private readonly BlockStoreOptions _options;
    private readonly BlockLog _log;
    private readonly BlockSessions _sessions;
    private readonly Lock _gate = new();
    private TaskCompletionSource? _next;
    private Task _committer = Task.CompletedTask;
    private bool _committing;
    private bool _disposed;

    private BlockStore(BlockStoreOptions options, BlockLog log)
    {
        _options = options;
        _log = log;
        _sessions = new BlockSessions(log.Store);
    }

    /// <summary>Bytes of its files.</summary>
    public long FileBytes => new DirectoryInfo(_options.Folder).EnumerateFiles().Sum(file => file.Length);

    /// <summary>Most bytes of its files.</summary>
    public long LimitBytes => _options.LimitBytes;

    /// <summary>Keeps a value; what the key had before is replaced.</summary>
    /// <param name="key">1 to <see cref="MaxKeyBytes"/> bytes of UTF-8.</param>
    /// <param name="value">0 to <see cref="MaxValueBytes"/> bytes; copied before the call returns or waits.</param>
    /// <param name="cancellationToken">Ends the waiting; the value may be kept all the same.</param>
    /// <returns>Completes when it is durable.</returns>
    /// <exception cref="StorageException"><see cref="StorageError.TooLarge"/>, <see cref="StorageError.Full"/> or <see cref="StorageError.Io"/>.</exception>
    public async ValueTask PutAsync(string key, ReadOnlyMemory<byte> value, CancellationToken cancellationToken = default)
    {
        var name = NameOf(key);
        if (value.Length > MaxValueBytes)
        {
            throw new StorageException(StorageError.TooLarge, $"Block '{key}' has {value.Length} bytes; the block store takes {MaxValueBytes}. Put it into the tier as a blob.");
        }

        var record = new byte[CrcBytes + value.Length];
        value.Span.CopyTo(record.AsSpan(CrcBytes));
        BinaryPrimitives.WriteUInt32LittleEndian(record, BlockScan.CrcOf(name, value.Span));
        await ChangeAsync(name, record, cancellationToken);
    }

    /// <summary>Gets a value.</summary>
    /// <returns>Null if it is not there, or no longer.</returns>
    /// <exception cref="StorageException"><see cref="StorageError.Corrupt"/>: it is damaged, and dropped; <see cref="StorageError.Io"/>.</exception>
    public async ValueTask<byte[]?> GetAsync(string key, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        var name = NameOf(key);
        var session = await _sessions.RentAsync(cancellationToken);
        BlockRecord record;
        Status status;
        try
        {
            // Not cancelled on its way: the session must be at rest when it is returned.
            (status, record) = (await Read(session, name)).Complete();
        }
        finally
        {
            _sessions.Return(session);
        }

        if (!status.Found || record.Bytes is null)
        {
            return null;
        }

        if (record.Bytes.Length < CrcBytes || BinaryPrimitives.ReadUInt32LittleEndian(record.Bytes) != BlockScan.CrcOf(name, record.Bytes.AsSpan(CrcBytes)))
        {
            var (path, offset) = _log.PlaceOf(record.Address);
            if (_options.Logger is { } logger)
            {
                NvmeLog.BlockDamaged(logger, key, path, offset);
            }

            await DeleteAsync(key, cancellationToken);
            throw new StorageException(StorageError.Corrupt, $"'{path}', record at offset {offset}: block '{key}' is damaged, and dropped. Compute it again.");
        }

        return record.Bytes[CrcBytes..];
    }

    /// <summary>Removes a value; completes when that is durable.</summary>
    public async ValueTask DeleteAsync(string key, CancellationToken cancellationToken = default) => await ChangeAsync(NameOf(key), null, cancellationToken);

    /// <summary>Waits for what is under way and closes the files.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
        }

        await _committer;
        _sessions.Dispose();
        _log.Dispose();
    }

    /// <summary>Opens the store of a folder, or makes an empty one.</summary>
    internal static async Task<BlockStore> OpenAsync(BlockStoreOptions options, CancellationToken cancellationToken)
    {
        options = options.Validated();
        try
        {
            // The log is read from end to end, in a blocking way.
            return new BlockStore(options, await Task.Run(() => BlockLog.Open(options), cancellationToken));
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw StorageException.From(cause, $"The block store in '{options.Folder}' cannot be opened");
        }
    }

    private static byte[] NameOf(string key)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        var name = Encoding.UTF8.GetBytes(key);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(name.Length, MaxKeyBytes, nameof(key));
        return name;
    }

    private static unsafe ValueTask<FasterKV<SpanByte, SpanByte>.ReadAsyncResult<Empty, BlockRecord, Empty>> Read(ClientSession<SpanByte, SpanByte, Empty, BlockRecord, Empty, BlockFunctions> session, byte[] name)
    {
        fixed (byte* start = name)
        {
            // FASTER copies the key if it has to wait for the disk.
            var key = SpanByte.FromFixedSpan(new Span<byte>(start, name.Length));
            var input = default(Empty);
            return session.ReadAsync(ref key, ref input);
        }
    }

    private static unsafe void Write(ClientSession<SpanByte, SpanByte, Empty, BlockRecord, Empty, BlockFunctions> session, byte[] name, byte[]? record)
    {
        fixed (byte* nameStart = name)
        fixed (byte* recordStart = record)
        {
            var key = SpanByte.FromFixedSpan(new Span<byte>(nameStart, name.Length));
            if (record is null)
            {
                session.Delete(ref key);
                return;
            }

            var value = SpanByte.FromFixedSpan(new Span<byte>(recordStart, record.Length));
            session.Upsert(ref key, ref value);
        }
    }

    private async ValueTask ChangeAsync(byte[] name, byte[]? record, CancellationToken cancellationToken)
    {
        var bytes = RecordOverheadBytes + name.Length + (record?.Length ?? 0);
        while (!_log.TryReserve(bytes))
        {
            // A checkpoint gives space back.
            await StartCommit().WaitAsync(cancellationToken);
        }

        Task durable;
        try
        {
            var session = await _sessions.RentAsync(cancellationToken);
            try
            {
                Write(session, name, record);
            }
            finally
            {
                _sessions.Return(session);
            }
        }
        finally
        {
            _log.EndReservation(bytes);
        }

        durable = StartCommit();
        await durable.WaitAsync(cancellationToken);
    }

    /// <summary>The checkpoint that covers what is in the log by now; sees to it that there is one.</summary>
    private Task StartCommit()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_log.Device.Failure is { } failure)
            {
                throw Failure(failure);
            }

            _next ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (!_committing)
            {
                _committing = true;
                _committer = Task.Run(CommitAsync);
            }

            return _next.Task;
        }
    }

    private async Task CommitAsync()
    {
        while (true)
        {
            TaskCompletionSource batch;
            lock (_gate)
            {
                if (_next is null)
                {
                    _committing = false;
                    return;
                }

                batch = _next;
                _next = null;
            }

            try
            {
                _log.ShiftBegin();
                await _log.CheckpointAsync();
                batch.SetResult();
            }
            catch (Exception cause)
            {
                _log.Device.Fail(cause);
                batch.SetException(Failure(cause));
                _ = batch.Task.Exception;
            }
        }
    }

    private StorageException Failure(Exception cause) =>
        StorageException.From(cause is StorageException ? new IOException(cause.Message, cause) : cause, $"The block store in '{_options.Folder}' takes no more until the tier is opened again");
}
