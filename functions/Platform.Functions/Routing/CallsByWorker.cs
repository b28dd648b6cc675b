using System.Collections.Concurrent;

namespace Platform.Functions.Routing;

/// <summary>Calls that this process has under way at each worker: newer than what heartbeats tell.</summary>
internal sealed class CallsByWorker
{
    private readonly ConcurrentDictionary<string, int> _calls = new(StringComparer.Ordinal);

    public int At(string worker) => _calls.GetValueOrDefault(worker);

    /// <summary>Counts a call until the result is disposed.</summary>
    public IDisposable Begin(string worker)
    {
        _calls.AddOrUpdate(worker, 1, static (_, count) => count + 1);
        return new Call(this, worker);
    }

    private sealed class Call(CallsByWorker calls, string worker) : IDisposable
    {
        private int _ended;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _ended, 1) == 0)
            {
                calls._calls.AddOrUpdate(worker, 0, static (_, count) => count - 1);
            }
        }
    }
}
