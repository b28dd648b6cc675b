using System.Collections.Concurrent;

namespace Platform.Local.FunctionsHost.Http;

/// <summary>Ends one proxied call when its caller goes or its time is over. Rented per call, so that no timer and no linked source is made for each.</summary>
internal sealed class CallDeadline : IDisposable
{
    private const int Kept = 256;

    private static readonly ConcurrentQueue<CancellationTokenSource> Pool = new();

    private readonly CancellationTokenSource _source;
    private readonly CancellationTokenRegistration _caller;
    private readonly Lock _lock = new();
    private bool _isOver;

    private CallDeadline(CancellationTokenSource source, CancellationToken caller)
    {
        _source = source;
        _caller = caller.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), source);
    }

    /// <summary>Valid until this is disposed; nothing may keep it longer.</summary>
    public CancellationToken Token => _source.Token;

    /// <param name="left">How long the call may still take.</param>
    /// <param name="caller">Cancelled when the caller has gone.</param>
    public static CallDeadline Start(TimeSpan left, CancellationToken caller)
    {
        var source = Pool.TryDequeue(out var kept) ? kept : new CancellationTokenSource();
        source.CancelAfter(left);
        return new CallDeadline(source, caller);
    }

    /// <summary>Counts anew from now. Does nothing once this is disposed: a body may still be on its way when the answer is there.</summary>
    public void Extend(TimeSpan left)
    {
        lock (_lock)
        {
            if (!_isOver)
            {
                _source.CancelAfter(left);
            }
        }
    }

    /// <summary>Waits for a cancellation by the caller that is under way: the source goes to another call.</summary>
    public void Dispose()
    {
        _caller.Dispose();
        lock (_lock)
        {
            _isOver = true;
        }

        if (_source.TryReset() && Pool.Count < Kept)
        {
            Pool.Enqueue(_source);
        }
        else
        {
            _source.Dispose();
        }
    }
}
