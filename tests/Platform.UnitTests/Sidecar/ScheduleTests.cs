using Platform.Local.Sidecar.Actors;

namespace Platform.UnitTests.Sidecar;

public sealed class ScheduleTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 31, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("1h30m", "2026-01-31T13:30:00Z", null)]
    [InlineData("@every 10s", "2026-01-31T12:00:10Z", null)]
    [InlineData("PT1M30S", "2026-01-31T12:01:30Z", null)]
    [InlineData("P1M", "2026-02-28T12:00:00Z", null)]
    [InlineData("R5/PT10S", "2026-01-31T12:00:10Z", 5)]
    [InlineData("R2/1s", "2026-01-31T12:00:01Z", 2)]
    public void Period_GoIsoAndRepeated_AreRead(string text, string after, int? repeats)
    {
        Assert.True(Period.TryParse(text, out var period, out var found));
        Assert.Equal((DateTimeOffset.Parse(after), repeats), (period.After(Noon), found));
    }

    [Theory]
    [InlineData("P")]
    [InlineData("PT")]
    [InlineData("R0/PT1S")]
    [InlineData("R/PT1S")]
    [InlineData("-1s")]
    [InlineData("soon")]
    public void Period_AnythingElse_IsRefused(string text) => Assert.False(Period.TryParse(text, out _, out _));

    [Theory]
    [InlineData(1000, "1s")]
    [InlineData(90_000, "1m30s")]
    [InlineData(3_600_000, "1h0m0s")]
    [InlineData(500, "500ms")]
    [InlineData(1500, "1.5s")]
    public void Period_IsPrintedAsGoDoes(int milliseconds, string text) => Assert.Equal(text, Period.Format(TimeSpan.FromMilliseconds(milliseconds)));

    [Theory]
    [InlineData(0, 10)]
    [InlineData(9, 10)]
    [InlineData(10, 20)]
    [InlineData(35, 40)]
    public void Next_AfterMissedFirings_StaysInItsRhythm(int nowSeconds, int expectedSeconds)
    {
        var next = NewReminder(TimeSpan.FromSeconds(10), null).Next(Noon.AddSeconds(nowSeconds));

        Assert.Equal(Noon.AddSeconds(expectedSeconds), next?.Due);
    }

    [Fact]
    public void Next_OfTheLastFiring_IsNothing()
    {
        Assert.Null(NewReminder(null, 1).Next(Noon));
        Assert.Null(NewReminder(TimeSpan.FromSeconds(1), 1).Next(Noon));
        Assert.Equal(1, NewReminder(TimeSpan.FromSeconds(1), 2).Next(Noon)?.Left);
        Assert.Null((NewReminder(TimeSpan.FromSeconds(10), null) with { Expires = Noon.AddSeconds(5) }).Next(Noon));
    }

    private static Reminder NewReminder(TimeSpan? period, int? left) => new() { Type = "T", Id = "1", Name = "r", Due = Noon, Period = period, Left = left };
}
