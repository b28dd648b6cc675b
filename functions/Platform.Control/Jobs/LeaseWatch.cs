namespace Platform.Control.Jobs;

/// <summary>Measures the silence of the worker that holds a lease, by this process's own monotonic clock: no two clocks are ever compared.</summary>
internal sealed class LeaseWatch(long token, TimeProvider time)
{
    private long _heard = time.GetTimestamp();
    private long _checked = time.GetTimestamp();
    private bool _excused;

    public long Token => token;

    public TimeSpan Silence => time.GetElapsedTime(_heard);

    public void Beat() => _heard = time.GetTimestamp();

    /// <summary>True if the worker has been silent for longer than <paramref name="lease"/>.</summary>
    /// <remarks>If this process itself did not run for that long (paused, or starved), heartbeats may wait at its door unread: the lease gets its full time once more, but not twice in a row.</remarks>
    public bool IsLost(TimeSpan lease)
    {
        var pause = time.GetElapsedTime(_checked);
        _checked = time.GetTimestamp();
        if (Silence < lease)
        {
            _excused = false;
            return false;
        }

        if (pause >= lease && !_excused)
        {
            _excused = true;
            _heard = _checked;
            return false;
        }

        return true;
    }
}
