namespace Platform.UnitTests.ObjectStorage;

/// <summary>A clock for clients that wait: pauses between tries pass at once and are noted, and longer waits, which are limits on the other side's silence, end when a test says so.</summary>
internal sealed class ImpatientTime : TimeProvider
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(20);
    private readonly Lock _gate = new();
    private readonly List<Wait> _limits = [];
    private readonly List<TimeSpan> _pauses = [];

    /// <summary>Pauses so far, in order.</summary>
    public IReadOnlyList<TimeSpan> Pauses
    {
        get
        {
            lock (_gate)
            {
                return [.. _pauses];
            }
        }
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var wait = new Wait(this, callback, state);
        wait.Change(dueTime, period);
        return wait;
    }

    /// <summary>Ends every wait for the other side.</summary>
    public void EndSilence()
    {
        Wait[] limits;
        lock (_gate)
        {
            limits = [.. _limits];
        }

        foreach (var limit in limits)
        {
            limit.Fire();
        }
    }

    private sealed class Wait(ImpatientTime time, TimerCallback callback, object? state) : ITimer
    {
        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._gate)
            {
                time._limits.Remove(this);
                if (dueTime == Timeout.InfiniteTimeSpan)
                {
                    return true;
                }

                if (dueTime > LongestPause)
                {
                    time._limits.Add(this);
                    return true;
                }

                time._pauses.Add(dueTime);
            }

            ThreadPool.QueueUserWorkItem(_ => Fire());
            return true;
        }

        public void Dispose()
        {
            lock (time._gate)
            {
                time._limits.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
