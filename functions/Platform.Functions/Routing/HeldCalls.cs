using Microsoft.Extensions.Options;

namespace Platform.Functions.Routing;

/// <summary>Bounds the calls that wait for their model.</summary>
internal sealed class HeldCalls(IOptions<RouterOptions> options)
{
    private int _count;

    public int Count => Volatile.Read(ref _count);

    /// <summary>A place to dispose when the wait is over; null if all are taken.</summary>
    public IDisposable? TryEnter()
    {
        if (Interlocked.Increment(ref _count) <= options.Value.MaxHeldCalls)
        {
            return new Place(this);
        }

        Interlocked.Decrement(ref _count);
        return null;
    }

    private sealed class Place(HeldCalls held) : IDisposable
    {
        private int _left;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _left, 1) == 0)
            {
                Interlocked.Decrement(ref held._count);
            }
        }
    }
}
