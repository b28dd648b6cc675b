namespace Platform.Local.FunctionsHost.Http;

/// <summary>Counts the requests under way, bounds them, and lets a stop wait for the last one.</summary>
internal sealed class InFlight
{
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _count;

    public bool IsDraining { get; private set; }

    /// <summary>Requests under way.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>A visit to dispose at the request's end; null beyond <paramref name="limit"/> (-1: none), or while draining.</summary>
    public IDisposable? TryEnter(int limit)
    {
        lock (_lock)
        {
            if (IsDraining || (limit >= 0 && _count >= limit))
            {
                return null;
            }

            _count++;
            return new Visit(this);
        }
    }

    /// <summary>Lets nobody in any more; completes when the last request has ended.</summary>
    public Task DrainAsync()
    {
        lock (_lock)
        {
            IsDraining = true;
            if (_count == 0)
            {
                _empty.TrySetResult();
            }

            return _empty.Task;
        }
    }

    private void Leave()
    {
        lock (_lock)
        {
            if (--_count == 0 && IsDraining)
            {
                _empty.TrySetResult();
            }
        }
    }

    private sealed class Visit(InFlight door) : IDisposable
    {
        public void Dispose() => door.Leave();
    }
}
