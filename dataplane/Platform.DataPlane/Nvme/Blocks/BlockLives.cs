namespace Platform.DataPlane.Nvme.Blocks;

/// <summary>The lives of a block store's log, one after the other: when the device of one has failed, everybody leaves it, and whoever comes next begins another from what is durable.</summary>
/// <remarks>Nobody waits without end for a life to be left: whatever its device does, FASTER's calls come back, see <see cref="BlockLog"/>.</remarks>
internal sealed class BlockLives : IAsyncDisposable
{
    // Also the most sessions of FASTER's there can be, which its checkpoint record lists.
    private const int Places = 64;

    private readonly BlockStoreOptions _options;
    private readonly SemaphoreSlim _places = new(Places);
    private readonly SemaphoreSlim _turn = new(1);
    private volatile BlockLog? _log;
    private volatile bool _isDisposed;

    private BlockLives(BlockStoreOptions options) => _options = options;

    /// <summary>Begins the first life.</summary>
    /// <exception cref="StorageException">The log cannot be opened.</exception>
    public static async Task<BlockLives> BeginAsync(BlockStoreOptions options, CancellationToken cancellationToken)
    {
        var lives = new BlockLives(options);
        await lives.OpenAsync(cancellationToken);
        return lives;
    }

    /// <summary>Gets the log to work on. Whoever got it calls <see cref="Leave"/>.</summary>
    /// <exception cref="StorageException">The last life failed, and another cannot begin yet. The next call tries again.</exception>
    public async ValueTask<BlockLog> EnterAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await _places.WaitAsync(cancellationToken);
            var log = _log;
            if (!_isDisposed && log is { Device.Failure: null })
            {
                return log;
            }

            _places.Release();
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            await BeginNextAsync().WaitAsync(cancellationToken);
        }
    }

    /// <summary>Ends what <see cref="EnterAsync"/> began.</summary>
    public void Leave() => _places.Release();

    public async ValueTask DisposeAsync()
    {
        _isDisposed = true;
        await ChangeAsync(() => Task.CompletedTask);
    }

    private Task BeginNextAsync() => ChangeAsync(async () =>
    {
        if (!_isDisposed)
        {
            if (_options.Logger is { } logger)
            {
                NvmeLog.BlocksOpenedAgain(logger, _options.Folder);
            }

            await OpenAsync(CancellationToken.None);
        }
    });

    /// <summary>Ends the life that there is, unless somebody did so before, and goes on with nobody in the log.</summary>
    private async Task ChangeAsync(Func<Task> goOn)
    {
        await _turn.WaitAsync();
        try
        {
            if (!_isDisposed && _log is { Device.Failure: null })
            {
                return;
            }

            for (var place = 0; place < Places; place++)
            {
                await _places.WaitAsync();
            }

            try
            {
                if (_log is { } log)
                {
                    _log = null;
                    await log.EndAsync();
                }

                await goOn();
            }
            finally
            {
                _places.Release(Places);
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task OpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            // The log is read from end to end, in a blocking way.
            _log = await Task.Run(() => BlockLog.Open(_options), cancellationToken);
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            throw StorageException.From(cause, $"The block store in '{_options.Folder}' cannot be opened");
        }
    }
}
