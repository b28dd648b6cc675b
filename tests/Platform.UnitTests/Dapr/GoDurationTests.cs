using Platform.Dapr;

namespace Platform.UnitTests.Dapr;

public sealed class GoDurationTests
{
    [Theory]
    [InlineData("1h15m30s", 4530_000)]
    [InlineData("500ms", 500)]
    [InlineData("1.5s", 1500)]
    [InlineData("-2s", -2000)]
    [InlineData("0", 0)]
    [InlineData("0h0m1s500ms", 1500)]
    public void TryParse_GoText_IsItsDuration(string text, long milliseconds)
    {
        Assert.True(GoDuration.TryParse(text, out var value));
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), value);
    }

    [Theory]
    [InlineData("")]
    [InlineData(null)]
    [InlineData("1d")]
    [InlineData("5")]
    [InlineData("s")]
    [InlineData("1s x")]
    [InlineData("99999999999999h")]
    public void TryParse_AnythingElse_IsRefused(string? text) => Assert.False(GoDuration.TryParse(text, out _));

    [Theory]
    [InlineData(0, "0s")]
    [InlineData(90_000, "90s")]
    [InlineData(1500, "1500ms")]
    public void Format_Duration_ReadsBack(long milliseconds, string text)
    {
        Assert.Equal(text, GoDuration.Format(TimeSpan.FromMilliseconds(milliseconds)));
        Assert.True(GoDuration.TryParse(text, out var value));
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), value);
    }
}
