namespace Platform.Worker;

/// <summary>Lets any part of the node say that the node's picture has changed, so that the next heartbeat goes out at once.</summary>
internal sealed class NodeChanges : IDisposable
{
    private readonly SemaphoreSlim _changed = new(0, 1);
    private readonly Lock _lock = new();

    /// <summary>Says that something changed. Many calls before the next heartbeat make one heartbeat.</summary>
    public void Tell()
    {
        lock (_lock)
        {
            if (_changed.CurrentCount == 0)
            {
                _changed.Release();
            }
        }
    }

    public void Dispose() => _changed.Dispose();

    /// <summary>Waits for a change, at most for <paramref name="limit"/>.</summary>
    public async Task WaitAsync(TimeSpan limit, TimeProvider time, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        await _changed.WaitAsync(either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellationToken.ThrowIfCancellationRequested();
    }
}
