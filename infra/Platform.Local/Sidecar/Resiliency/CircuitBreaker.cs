using Platform.Local.Sidecar.Expressions;

namespace Platform.Local.Sidecar.Resiliency;

/// <summary>Settings of breakers; each callee has a breaker of its own.</summary>
internal sealed record CircuitBreakerPolicy
{
    /// <summary>Names that a trip condition may use.</summary>
    public static IReadOnlyList<string> Variables { get; } = ["requests", "totalSuccesses", "totalFailures", "consecutiveSuccesses", "consecutiveFailures"];

    /// <summary>Calls that pass at once while half open. Default 1.</summary>
    public int MaxRequests { get; init; } = 1;

    /// <summary>Counts of a closed breaker are cleared this often; zero: never.</summary>
    public TimeSpan Interval { get; init; }

    /// <summary>From open to half open. Default 60 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>When a closed breaker opens. Default <c>consecutiveFailures &gt; 5</c>.</summary>
    public CelExpression Trip { get; init; } = CelExpression.Parse("consecutiveFailures > 5", Variables);
}

/// <summary>Stops calls to something that keeps failing: closed, open, half open. Thread-safe.</summary>
internal sealed class CircuitBreaker(CircuitBreakerPolicy policy, TimeProvider time)
{
    private readonly Lock _gate = new();
    private State _state;
    private long _since = time.GetTimestamp();
    private int _requests;
    private int _totalSuccesses;
    private int _totalFailures;
    private int _consecutiveSuccesses;
    private int _consecutiveFailures;

    private enum State
    {
        Closed,
        Open,
        HalfOpen,
    }

    /// <summary>Its settings.</summary>
    public CircuitBreakerPolicy Policy => policy;

    /// <summary>Asks to pass.</summary>
    /// <exception cref="CircuitOpenException">The breaker is open, or half open and at its limit.</exception>
    public void Enter()
    {
        lock (_gate)
        {
            if (_state == State.Open && time.GetElapsedTime(_since) >= policy.Timeout)
            {
                Become(State.HalfOpen);
            }
            else if (_state == State.Closed && policy.Interval > TimeSpan.Zero && time.GetElapsedTime(_since) >= policy.Interval)
            {
                Become(State.Closed);
            }

            if (_state == State.Open || (_state == State.HalfOpen && _requests >= policy.MaxRequests))
            {
                throw new CircuitOpenException(_state == State.Open ? "circuit breaker is open" : "too many requests");
            }

            _requests++;
        }
    }

    /// <summary>Tells how a call that had passed came out.</summary>
    public void Report(bool isSuccess)
    {
        lock (_gate)
        {
            if (isSuccess)
            {
                _totalSuccesses++;
                _consecutiveSuccesses++;
                _consecutiveFailures = 0;
                if (_state == State.HalfOpen && _consecutiveSuccesses >= policy.MaxRequests)
                {
                    Become(State.Closed);
                }
            }
            else
            {
                _totalFailures++;
                _consecutiveFailures++;
                _consecutiveSuccesses = 0;
                if (_state == State.HalfOpen || (_state == State.Closed && policy.Trip.IsTrue(Count)))
                {
                    Become(State.Open);
                }
            }
        }
    }

    private object? Count(string name) => (double)(name switch
    {
        "requests" => _requests,
        "totalSuccesses" => _totalSuccesses,
        "totalFailures" => _totalFailures,
        "consecutiveSuccesses" => _consecutiveSuccesses,
        _ => _consecutiveFailures,
    });

    private void Become(State state)
    {
        _state = state;
        _since = time.GetTimestamp();
        (_requests, _totalSuccesses, _totalFailures, _consecutiveSuccesses, _consecutiveFailures) = (0, 0, 0, 0, 0);
    }
}

/// <summary>A breaker let a call not pass; nothing was sent.</summary>
internal sealed class CircuitOpenException(string message) : Exception(message);
