using Platform.Local.FunctionsHost.Timers;

namespace Platform.UnitTests.FunctionsHost;

/// <summary>Timers and a clock that is set while they wait.</summary>
public sealed class ScheduleWaitTests
{
    private readonly FakeTimeProvider _ticks = new();
    private readonly JumpingClock _clock;

    public ScheduleWaitTests() => _clock = new JumpingClock(_ticks);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Wait_WithASteadyClock_EndsAtItsMoment()
    {
        var waiting = ScheduleWait.UntilAsync(_clock.GetUtcNow().AddSeconds(20), _clock, Cancel);

        _ticks.Advance(TimeSpan.FromSeconds(19.9));
        Assert.False(waiting.IsCompleted);
        _ticks.Advance(TimeSpan.FromSeconds(0.1));

        Assert.True(await waiting);
    }

    [Fact]
    public async Task Wait_WhenTheClockJumpsAhead_EndsWithinTheLongestSleep()
    {
        var waiting = ScheduleWait.UntilAsync(_clock.GetUtcNow().AddHours(5), _clock, Cancel);

        _clock.Ahead = TimeSpan.FromHours(6);
        _ticks.Advance(ScheduleWait.LongestSleep);

        Assert.True(await waiting);
    }

    [Fact]
    public async Task Wait_WhenTheClockIsSetBack_AsksForANewMoment()
    {
        var waiting = ScheduleWait.UntilAsync(_clock.GetUtcNow().AddSeconds(20), _clock, Cancel);

        _clock.Ahead = TimeSpan.FromHours(-1);
        _ticks.Advance(TimeSpan.FromSeconds(20));

        Assert.False(await waiting);
    }

    [Fact]
    public async Task Wait_ForAMomentThatHasPassed_EndsAtOnce() => Assert.True(await ScheduleWait.UntilAsync(_clock.GetUtcNow().AddYears(-1), _clock, Cancel));

    /// <summary>Ticks as another clock does, and shows another time.</summary>
    private sealed class JumpingClock(TimeProvider ticks) : TimeProvider
    {
        public TimeSpan Ahead { get; set; }

        public override long TimestampFrequency => ticks.TimestampFrequency;

        public override DateTimeOffset GetUtcNow() => ticks.GetUtcNow() + Ahead;

        public override long GetTimestamp() => ticks.GetTimestamp();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => ticks.CreateTimer(callback, state, dueTime, period);
    }
}
