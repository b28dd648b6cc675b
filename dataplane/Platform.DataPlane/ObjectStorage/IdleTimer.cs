namespace Platform.DataPlane.ObjectStorage;

/// <summary>Cancels a request whose other side has been silent for too long. Every sign of life starts the wait anew, so a slow body is not cut, and a stalled one is.</summary>
internal sealed class IdleTimer : IDisposable
{
    private readonly TimeSpan _timeout;
    private readonly CancellationTokenSource _silence;
    private readonly CancellationTokenSource _either;

    public IdleTimer(TimeSpan timeout, TimeProvider time, CancellationToken cancellationToken)
    {
        _timeout = timeout;
        _silence = new CancellationTokenSource(timeout, time);
        _either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _silence.Token);
    }

    /// <summary>Cancelled by silence or by the caller.</summary>
    public CancellationToken Token => _either.Token;

    /// <summary>True once the other side was silent for too long.</summary>
    public bool HasExpired => _silence.IsCancellationRequested;

    /// <summary>Notes a sign of life.</summary>
    public void Alive() => _silence.CancelAfter(_timeout);

    public void Dispose()
    {
        _either.Dispose();
        _silence.Dispose();
    }
}
