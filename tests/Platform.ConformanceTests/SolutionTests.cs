namespace Platform.ConformanceTests;

public sealed class SolutionTests
{
    [Fact]
    public void Runtime_IsNet10() => Assert.Equal(10, Environment.Version.Major);
}
