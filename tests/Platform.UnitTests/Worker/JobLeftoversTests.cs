using Platform.Jobs;
using Platform.Worker.Jobs;

namespace Platform.UnitTests.Worker;

public sealed class JobLeftoversTests
{
    private static readonly string[] Keys = ["jobs/a/logs/1.log", "jobs/a/other.txt", "jobs/a/parts/000001-000000.jsonl", "jobs/a/parts/000002-000000.jsonl", "jobs/a/results-1.jsonl", "jobs/a/results-12.jsonl", "jobs/a/results-2.jsonl", "jobs/a/results-x.jsonl", "jobs/ab/results-1.jsonl"];

    [Theory]
    [InlineData(2L, 4, new[] { "jobs/a/logs/1.log", "jobs/a/other.txt", "jobs/a/results-2.jsonl", "jobs/a/results-x.jsonl", "jobs/ab/results-1.jsonl" })]
    [InlineData(null, 5, new[] { "jobs/a/logs/1.log", "jobs/a/other.txt", "jobs/a/results-x.jsonl", "jobs/ab/results-1.jsonl" })]
    public async Task Delete_OfAnEndedJob_LeavesItsResultItsLogsAndWhatIsNotItsOwn(long? keep, int deleted, string[] left)
    {
        var storage = new InMemoryObjects();
        Array.ForEach(Keys, key => storage.Add(key, "12345"));

        var answer = await new JobLeftovers(storage).DeleteAsync("a", keep, TestContext.Current.CancellationToken);
        var again = await new JobLeftovers(storage).DeleteAsync("a", keep, TestContext.Current.CancellationToken);

        Assert.Equal(new TidyAnswer(deleted, 5 * deleted), answer);
        Assert.Equal(new TidyAnswer(0, 0), again);
        Assert.Equal(left, storage.Keys);
    }
}
