namespace Platform.Worker.Http;

/// <summary>Counts the calls that run or wait.</summary>
internal sealed class InFlightCalls(NodeChanges changes)
{
    private int _count;

    public int Count => Volatile.Read(ref _count);

    /// <summary>Takes a place; null if <paramref name="limit"/> places are taken.</summary>
    public IDisposable? TryEnter(int limit)
    {
        if (Interlocked.Increment(ref _count) > limit)
        {
            Interlocked.Decrement(ref _count);
            return null;
        }

        changes.Tell();
        return new Place(this, changes);
    }

    private sealed class Place(InFlightCalls calls, NodeChanges changes) : IDisposable
    {
        public void Dispose()
        {
            Interlocked.Decrement(ref calls._count);
            changes.Tell();
        }
    }
}
