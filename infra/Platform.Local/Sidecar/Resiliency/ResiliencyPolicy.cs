namespace Platform.Local.Sidecar.Resiliency;

/// <summary>What holds for one target: retry around breaker around timeout around the call. Thread-safe.</summary>
internal sealed class ResiliencyPolicy(RetryPolicy? retry, CircuitBreaker? breaker, TimeSpan? timeout, TimeProvider time, CircuitBreaker? inner = null)
{
    /// <summary>Calls once and passes everything on.</summary>
    public static ResiliencyPolicy None { get; } = new(null, null, null, TimeProvider.System);

    /// <summary>True if a call may be made more than once: whatever it sends must be kept.</summary>
    public bool Repeats => retry is { MaxRetries: not 0 };

    /// <summary>True if nothing is done at all.</summary>
    public bool IsNone => retry is null && breaker is null && timeout is null;

    /// <summary>The breaker; null if there is none.</summary>
    public CircuitBreaker? Breaker => breaker;

    /// <summary>The same with another breaker, in place of this one's or within it.</summary>
    public ResiliencyPolicy With(CircuitBreaker another, bool keepsOwn) => new(retry, keepsOwn ? breaker : another, timeout, time, keepsOwn ? another : null);

    /// <summary>Runs a call of a component under the policy: only an exception is a failure. A call that takes too long goes on alone; only the waiting for it ends, so what it was to do may still be done.</summary>
    /// <inheritdoc cref="ExecuteAsync{T}(Func{CancellationToken, Task{T}}, Func{T, int?}, Action{T}, bool, CancellationToken)" path="/exception"/>
    public Task<T> ExecuteAsync<T>(Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken) => IsNone
        ? call(cancellationToken)
        : ExecuteAsync(attempt => call(attempt).WaitAsync(attempt), _ => null, _ => { }, mayRepeat: true, cancellationToken);

    /// <summary>Runs a call under the policy.</summary>
    /// <param name="call">One attempt; its token ends with the timeout.</param>
    /// <param name="failedStatus">The status of a result that counts as a failure; null for a success. After the last attempt the result is returned all the same.</param>
    /// <param name="discard">Gives back a result that is not used.</param>
    /// <param name="mayRepeat">False: one attempt, but breaker and timeout hold.</param>
    /// <param name="cancellationToken">Ends all of it.</param>
    /// <exception cref="CircuitOpenException">The breaker is open.</exception>
    /// <exception cref="TimeoutException">The last attempt took too long.</exception>
    public async Task<T> ExecuteAsync<T>(Func<CancellationToken, Task<T>> call, Func<T, int?> failedStatus, Action<T> discard, bool mayRepeat, CancellationToken cancellationToken)
    {
        var begin = time.GetTimestamp();
        for (var attempt = 1; ; attempt++)
        {
            TimeSpan? Pause(int? status) => mayRepeat && retry is not null && (status is null || retry.Takes(status.Value)) ? retry.PauseBefore(attempt, time.GetElapsedTime(begin)) : null;

            TimeSpan pause;
            try
            {
                var result = await AttemptAsync(call, failedStatus, cancellationToken);
                if (failedStatus(result) is not { } status || Pause(status) is not { } wait)
                {
                    return result;
                }

                discard(result);
                pause = wait;
            }
            catch (Exception e) when (e is not (OperationCanceledException or CircuitOpenException) && retry?.Takes(e) == true && Pause(null) is { } wait)
            {
                pause = wait;
            }

            await Task.Delay(pause, time, cancellationToken);
        }
    }

    private async Task<T> AttemptAsync<T>(Func<CancellationToken, Task<T>> call, Func<T, int?> failedStatus, CancellationToken cancellationToken)
    {
        breaker?.Enter();
        var isSuccess = false;
        try
        {
            inner?.Enter();
        }
        catch (CircuitOpenException)
        {
            breaker?.Report(isSuccess: false);
            throw;
        }

        try
        {
            var result = await TimedAsync(call, cancellationToken);
            isSuccess = failedStatus(result) is null;
            return result;
        }
        finally
        {
            inner?.Report(isSuccess);
            breaker?.Report(isSuccess);
        }
    }

    private async Task<T> TimedAsync<T>(Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        if (timeout is not { } limit)
        {
            return await call(cancellationToken);
        }

        using var late = new CancellationTokenSource(limit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, late.Token);
        try
        {
            return await call(either.Token);
        }
        catch (OperationCanceledException e) when (late.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"timeout: no answer within {limit.TotalSeconds:0.###} s", e);
        }
    }
}
