using Platform.Local.FunctionsHost.Timers;

namespace Platform.UnitTests.FunctionsHost;

public sealed class CronScheduleTests
{
    [Theory]
    [InlineData("0 */5 * * * *", "2026-03-01T10:02:03Z", "2026-03-01T10:05:00Z")]
    [InlineData("*/5 * * * *", "2026-03-01T10:02:03Z", "2026-03-01T10:05:00Z")]
    [InlineData("* * * * * *", "2026-03-01T10:02:03.500Z", "2026-03-01T10:02:04Z")]
    [InlineData("0 0 9-17 * * MON-FRI", "2026-02-27T17:00:00Z", "2026-03-02T09:00:00Z")]
    [InlineData("0 30 9 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T09:30:00Z")]
    [InlineData("0 0 0 1 JAN,JUL *", "2026-03-01T00:00:00Z", "2026-07-01T00:00:00Z")]
    [InlineData("0 0 0 * * 7", "2026-03-02T00:00:00Z", "2026-03-08T00:00:00Z")]
    [InlineData("10/20 * * * * *", "2026-03-01T00:00:10Z", "2026-03-01T00:00:30Z")]
    [InlineData("59 59 23 31 12 *", "2026-12-31T23:59:59Z", "2027-12-31T23:59:59Z")]
    public void Next_AfterAMoment_IsTheNextOccurrence(string expression, string after, string expected) =>
        Assert.Equal(DateTimeOffset.Parse(expected), CronSchedule.Parse(expression).Next(DateTimeOffset.Parse(after), TimeZoneInfo.Utc));

    [Fact]
    public void Next_OfADayThatNeverComes_IsNull() => Assert.Null(CronSchedule.Parse("0 0 0 31 2 *").Next(DateTimeOffset.UnixEpoch, TimeZoneInfo.Utc));

    [Theory]
    [InlineData("* * * *", "4 fields")]
    [InlineData("60 * * * * *", "second")]
    [InlineData("* * 5-1 * * *", "hour")]
    [InlineData("* * * * FOO *", "month")]
    [InlineData("*/0 * * * * *", "second")]
    public void Parse_OfNonsense_NamesTheField(string expression, string named) =>
        Assert.Contains(named, Assert.Throws<FormatException>(() => CronSchedule.Parse(expression)).Message, StringComparison.Ordinal);
}
