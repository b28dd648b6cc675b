using System.Buffers.Binary;
using System.Text;
using Platform.DataPlane.Nvme.Blocks;

namespace Platform.DataPlane.Nvme;

/// <summary>Small values by key (computed context, say), more of them than memory holds: a FasterKV on the tier's device, within a limit of its own.</summary>
/// <remarks>
/// <para>A put or delete that has completed survives any crash; those that wait at the same time share a checkpoint. When the space is used up the oldest blocks go first,
/// so a block that is not there any more is no error: compute it again.</para>
/// <para>All members may be called from any thread. When the device fails, the calls that were under way hear of it, and the next one opens the log again as of what is durable.</para>
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
    private readonly BlockLives _lives;

    private BlockStore(BlockStoreOptions options, BlockLives lives)
    {
        _options = options;
        _lives = lives;
    }

    /// <summary>Bytes of its files.</summary>
    public long FileBytes => new DirectoryInfo(_options.Folder).EnumerateFiles().Sum(file => file.Length);

    /// <summary>Most bytes of its files.</summary>
    public long LimitBytes => _options.LimitBytes;

    /// <summary>What its device has done since the tier was opened.</summary>
    public DeviceFigures Device => _options.Figures;

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
        var name = NameOf(key);
        BlockLog log;
        BlockRecord record;
        do
        {
            log = await _lives.EnterAsync(cancellationToken);
            try
            {
                record = await log.ReadAsync(name);
            }
            catch (IOException cause)
            {
                throw StorageException.From(cause, $"Block '{key}' cannot be read");
            }
            finally
            {
                _lives.Leave();
            }
        }
        while (log.Device.Failure is not null && !IsWhole(name, record)); // From a log whose device has failed, records may be missing that were acknowledged.

        if (record.Bytes is null)
        {
            return null;
        }

        if (!IsWhole(name, record))
        {
            var (path, offset) = log.PlaceOf(record.Address);
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
    public ValueTask DisposeAsync() => _lives.DisposeAsync();

    /// <summary>Opens the store of a folder, or makes an empty one.</summary>
    internal static async Task<BlockStore> OpenAsync(BlockStoreOptions options, CancellationToken cancellationToken)
    {
        options = options.Validated();
        return new BlockStore(options, await BlockLives.BeginAsync(options, cancellationToken));
    }

    private static bool IsWhole(byte[] name, BlockRecord record) =>
        record.Bytes is { Length: >= CrcBytes } bytes && BinaryPrimitives.ReadUInt32LittleEndian(bytes) == BlockScan.CrcOf(name, bytes.AsSpan(CrcBytes));

    private static byte[] NameOf(string key)
    {
        ArgumentException.ThrowIfNullOrEmpty(key);
        var name = Encoding.UTF8.GetBytes(key);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(name.Length, MaxKeyBytes, nameof(key));
        return name;
    }

    private async ValueTask ChangeAsync(byte[] name, byte[]? record, CancellationToken cancellationToken)
    {
        var bytes = RecordOverheadBytes + name.Length + (record?.Length ?? 0);
        try
        {
            bool isWritten;
            do
            {
                Task durable;
                var log = await _lives.EnterAsync(cancellationToken);
                try
                {
                    isWritten = log.TryWrite(bytes, name, record);

                    // The checkpoint that covers it; or the one that gives space back.
                    durable = log.WhenDurable();
                }
                finally
                {
                    _lives.Leave();
                }

                await durable.WaitAsync(cancellationToken);
            }
            while (!isWritten);
        }
        catch (IOException cause) when (cause is not StorageException)
        {
            throw StorageException.From(cause, $"The block store in '{_options.Folder}' could not make a block durable");
        }
    }
}
