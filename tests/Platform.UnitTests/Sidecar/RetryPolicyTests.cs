using Platform.Local.Sidecar.Resiliency;

namespace Platform.UnitTests.Sidecar;

/// <summary>Pauses between the tries of a call (section 16 of the contract).</summary>
public sealed class RetryPolicyTests
{
    [Fact]
    public void Constant_WithoutMore_Waits5SecondsWithoutEnd()
    {
        var policy = new RetryPolicy();

        Assert.Equal([5.0, 5.0], new[] { 1, 100_000 }.Select(retry => policy.PauseBefore(retry, TimeSpan.FromDays(9))!.Value.TotalSeconds));
    }

    [Fact]
    public void MaxRetries_CountsWhatComesAfterTheFirstTry()
    {
        var policy = new RetryPolicy { MaxRetries = 2 };

        Assert.Equal([true, true, false], new[] { 1, 2, 3 }.Select(retry => policy.PauseBefore(retry, TimeSpan.Zero) is not null));
        Assert.Null(new RetryPolicy { MaxRetries = 0 }.PauseBefore(1, TimeSpan.Zero));
    }

    [Theory]
    [InlineData(1, 500)]
    [InlineData(2, 750)]
    [InlineData(3, 1125)]
    [InlineData(12, 43_248)]
    [InlineData(13, 60_000)]
    [InlineData(500, 60_000)]
    public void Exponential_GrowsByHalfFrom500MillisecondsToItsLongestGiveOrTakeHalf(int retry, double milliseconds)
    {
        var policy = new RetryPolicy { IsExponential = true };

        Assert.All(Enumerable.Range(0, 200), _ => Assert.InRange(policy.PauseBefore(retry, TimeSpan.Zero)!.Value.TotalMilliseconds, milliseconds * 0.499, milliseconds * 1.501));
    }

    [Fact]
    public void Exponential_EndsAfter15MinutesThoughItsRetriesDoNot()
    {
        var policy = new RetryPolicy { IsExponential = true };

        Assert.NotNull(policy.PauseBefore(30, TimeSpan.FromMinutes(14.9)));
        Assert.Null(policy.PauseBefore(30, TimeSpan.FromMinutes(15.1)));
    }

    [Fact]
    public void Matching_TakesItsRangesAlone()
    {
        var policy = new RetryPolicy { StatusCodes = [(429, 429), (500, 599)] };

        Assert.Equal([429, 500, 599], new[] { 400, 404, 428, 429, 499, 500, 599, 600 }.Where(policy.Takes));
        Assert.True(new RetryPolicy().Takes(404));
    }
}
