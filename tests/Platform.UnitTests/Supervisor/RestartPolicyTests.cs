using Platform.Local.Supervisor;

namespace Platform.UnitTests.Supervisor;

public sealed class RestartPolicyTests
{
    [Fact]
    public void PauseBefore_StartsInARow_DoublesUpToTheLongestAndEndsAtTheLimit()
    {
        var policy = new RestartPolicy { MaxRestarts = 8 };

        var pauses = Enumerable.Range(1, 9).Select(start => policy.PauseBefore(failure: true, start)?.TotalMilliseconds);

        Assert.Equal([100, 200, 400, 800, 1600, 3200, 5000, 5000, null], pauses);
    }

    [Theory]
    [InlineData("Always", true, true)]
    [InlineData("Always", false, true)]
    [InlineData("OnFailure", true, true)]
    [InlineData("OnFailure", false, false)]
    [InlineData("Never", true, false)]
    public void PauseBefore_KindOfEnd_DecidesWithThePolicy(string when, bool failure, bool isStarted) =>
        Assert.Equal(isStarted, new RestartPolicy { When = Enum.Parse<RestartWhen>(when) }.PauseBefore(failure, 1) is not null);

    [Fact]
    public void PauseBefore_WithoutALimit_NeverEnds() =>
        Assert.Equal(TimeSpan.FromSeconds(5), new RestartPolicy { MaxRestarts = -1 }.PauseBefore(failure: true, 100_000));
}
