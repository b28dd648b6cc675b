using System.Globalization;

namespace Platform.Jobs;

/// <summary>The clock of one of our programs: the system's. Tests of clock skew start a program with another one, by <see cref="TestVariable"/>; there is no other use for it.</summary>
public static class ProgramClock
{
    /// <summary>How wrong the clock of a program under test is: an offset, and how fast it runs, as in <c>-00:20:00;1.05</c>.</summary>
    public const string TestVariable = "PLATFORM_TEST_CLOCK";

    /// <summary>The clock that the environment names.</summary>
    /// <exception cref="FormatException">The variable is set to something else than an offset and a rate.</exception>
    public static TimeProvider FromEnvironment()
    {
        if (Environment.GetEnvironmentVariable(TestVariable) is not { Length: > 0 } text)
        {
            return TimeProvider.System;
        }

        Console.Error.WriteLine($"This program runs under a wrong clock, for a test: {TestVariable}={text}");
        return text.Split(';') is [var offset, var rate]
            ? new SkewedTimeProvider(TimeSpan.Parse(offset, CultureInfo.InvariantCulture), double.Parse(rate, CultureInfo.InvariantCulture))
            : throw new FormatException($"{TestVariable} is '{text}'; expected an offset and a rate, as in -00:20:00;1.05. Unset it outside of tests.");
    }

    /// <summary>A clock that is off and runs too fast or too slow; its timers do as well.</summary>
    private sealed class SkewedTimeProvider(TimeSpan offset, double rate) : TimeProvider
    {
        private readonly DateTimeOffset _startedAt = System.GetUtcNow();
        private readonly long _started = System.GetTimestamp();

        public override long TimestampFrequency => System.TimestampFrequency;

        public override DateTimeOffset GetUtcNow() => _startedAt + offset + (System.GetElapsedTime(_started) * rate);

        public override long GetTimestamp() => _started + (long)((System.GetTimestamp() - _started) * rate);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            new Timer(System.CreateTimer(callback, state, Real(dueTime), Real(period)), this);

        private TimeSpan Real(TimeSpan time) => time > TimeSpan.Zero ? time / rate : time;

        private sealed class Timer(ITimer real, SkewedTimeProvider clock) : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => real.Change(clock.Real(dueTime), clock.Real(period));

            public void Dispose() => real.Dispose();

            public ValueTask DisposeAsync() => real.DisposeAsync();
        }
    }
}
