using Platform.Worker.Engines.Kernels;

namespace Platform.UnitTests.Engines;

public sealed class ThreadTeamTests
{
    private const long Enough = 1 << 20;

    /// <summary>More threads than any machine of the tests has processors, so that some of them sleep while others look.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(32)]
    public void Run_ManyLoopsOneAfterTheOther_EveryIndexOnceInEach_AndNoneAfterItReturned(int threads)
    {
        using var team = new ThreadTeam(threads);
        var touched = new int[1000];
        for (var loop = 1; loop <= 2000; loop++)
        {
            team.Run(touched.Length, Enough, (begin, end) =>
            {
                for (var i = begin; i < end; i++)
                {
                    touched[i]++;
                }
            });
            Assert.True(touched.All(count => count == loop), $"loop {loop}");
        }
    }

    [Fact]
    public void Run_TooLittleWork_IsTheCallersAlone()
    {
        using var team = new ThreadTeam(4);
        var ranges = new List<(int, int)>();
        team.Run(100, 100, (begin, end) => ranges.Add((begin, end)));

        Assert.Equal([(0, 100)], ranges);
    }

    [Fact]
    public void Run_AllocatesNothing()
    {
        using var team = new ThreadTeam(2);
        Action<int, int> body = static (_, _) => { };
        team.Run(10, Enough, body);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var loop = 0; loop < 100; loop++)
        {
            team.Run(10, Enough, body);
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }
}
