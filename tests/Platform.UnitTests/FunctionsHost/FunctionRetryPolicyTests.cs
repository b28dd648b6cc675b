using Platform.Local.FunctionsHost.App;

namespace Platform.UnitTests.FunctionsHost;

/// <summary>The waits of a function's retries, however many there are.</summary>
public sealed class FunctionRetryPolicyTests
{
    [Theory]
    [InlineData("00:15:00", "00:15:00", 1, "00:15:00")]
    [InlineData("00:15:00", "00:15:00", 1000, "00:15:00")]
    [InlineData("00:00:00", "00:00:00", 1000, "00:00:00")]
    [InlineData("00:00:05", "00:15:00", 3, "00:00:20")]
    [InlineData("01:00:00", "10:00:00", 1000, "10:00:00")]
    public void Retry_OfAnyNumber_ComesAfterTheWaitThatIsAskedFor(string minimum, string maximum, int number, string wait) =>
        Assert.Equal(TimeSpan.Parse(wait), new RetryPolicy(-1, TimeSpan.Parse(minimum), TimeSpan.Parse(maximum)).Delay(number));
}
