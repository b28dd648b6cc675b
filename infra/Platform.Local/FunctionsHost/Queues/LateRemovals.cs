using Platform.DataPlane;

namespace Platform.Local.FunctionsHost.Queues;

/// <summary>Removals that wait a moment for a message to share their commit with.</summary>
/// <remarks>
/// Nobody waits for the removal of a message from a queue that is empty by then, but the next message would wait behind it: for the disk, twice.
/// Together they cost one commit. A crash in that moment brings the message back, as one an instant earlier would have. Thread-safe.
/// </remarks>
internal sealed class LateRemovals
{
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(3);

    private readonly DurableStore _store;
    private readonly Lock _lock = new();
    private readonly ITimer _timer;
    private Batch? _waiting;

    public LateRemovals(DurableStore store, TimeProvider time)
    {
        _store = store;
        _timer = time.CreateTimer(_ => _ = FlushAsync(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Completes when the removal is durable.</summary>
    /// <exception cref="StorageException">It is not.</exception>
    public Task AddAsync(IReadOnlyList<DurableWrite> removal)
    {
        lock (_lock)
        {
            if (_waiting is null)
            {
                _waiting = new Batch();
                _timer.Change(Patience, Timeout.InfiniteTimeSpan);
            }

            _waiting.Writes.AddRange(removal);
            return _waiting.Done.Task;
        }
    }

    /// <summary>Commits <paramref name="write"/>, and with it what waits.</summary>
    /// <exception cref="StorageException">The write is not acknowledged.</exception>
    public async Task CommitWithAsync(DurableWrite write)
    {
        var waiting = Take();
        try
        {
            await _store.CommitAsync(waiting is null ? [write] : [.. waiting.Writes, write]);
            waiting?.Done.SetResult();
        }
        catch
        {
            // A store without room for the write still takes the removals.
            _ = CommitAsync(waiting);
            throw;
        }
    }

    /// <summary>Commits what waits; whoever added it hears how that went.</summary>
    public Task FlushAsync() => CommitAsync(Take());

    private Batch? Take()
    {
        lock (_lock)
        {
            var waiting = _waiting;
            _waiting = null;
            return waiting;
        }
    }

    private async Task CommitAsync(Batch? batch)
    {
        if (batch is null)
        {
            return;
        }

        try
        {
            await _store.CommitAsync(batch.Writes);
            batch.Done.SetResult();
        }
        catch (Exception exception) when (exception is StorageException or ObjectDisposedException)
        {
            batch.Done.SetException(exception);
        }
    }

    private sealed class Batch
    {
        public List<DurableWrite> Writes { get; } = [];

        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
