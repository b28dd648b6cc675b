namespace Platform.Local.FunctionsHost.Timers;

/// <summary>Waits for a moment of the wall clock, which may be set while one waits.</summary>
internal static class ScheduleWait
{
    /// <summary>Longest sleep, so that a change of the clock is noticed within it.</summary>
    internal static readonly TimeSpan LongestSleep = TimeSpan.FromSeconds(30);

    /// <summary>True when <paramref name="next"/> has come, also by a jump of the clock; false if the clock was set back in the meantime, so that it must be computed anew.</summary>
    public static async Task<bool> UntilAsync(DateTimeOffset next, TimeProvider time, CancellationToken cancellationToken)
    {
        var left = next - time.GetUtcNow();
        while (left > TimeSpan.Zero)
        {
            await Task.Delay(left < LongestSleep ? left : LongestSleep, time, cancellationToken);
            var now = next - time.GetUtcNow();
            if (now > left)
            {
                return false;
            }

            left = now;
        }

        return true;
    }
}
