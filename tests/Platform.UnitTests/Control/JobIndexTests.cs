using Platform.Control.Jobs;
using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.UnitTests.Control;

public sealed class JobIndexTests
{
    private static readonly DateTimeOffset Start = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly ControlHarness _control = new();

    [Theory]
    [InlineData(1)]
    [InlineData(JobIndexActor.PageRows)]
    [InlineData(JobIndexActor.PageRows + 1)]
    [InlineData(1003)]
    public async Task List_AnyNumberOfJobs_IsNewestFirstInPagesWithoutGaps(int count)
    {
        // In order, but for a few that arrive late.
        var rows = Enumerable.Range(0, count).Select(i => Row(i)).ToArray();
        foreach (var row in rows.Where((_, i) => i % 7 != 3).Concat(rows.Where((_, i) => i % 7 == 3)))
        {
            await RecordAsync(row);
        }

        _control.Restart();
        var listed = await ListAllAsync(50, null);

        Assert.Equal(rows.Reverse().Select(row => row.Id), listed.Select(row => row.Id));
    }

    [Fact]
    public async Task Record_OlderVersion_ChangesNothing()
    {
        await RecordAsync(Row(1) with { State = JobState.Succeeded, Version = 5 });
        await RecordAsync(Row(1) with { State = JobState.Running, Version = 4 });

        Assert.Equal(JobState.Succeeded, Assert.Single(await ListAllAsync(10, null)).State);
    }

    [Fact]
    public async Task List_ByState_FindsAllOfThemAcrossPages()
    {
        for (var i = 0; i < 300; i++)
        {
            await RecordAsync(Row(i) with { State = i % 10 == 0 ? JobState.Failed : JobState.Succeeded });
        }

        var failed = await ListAllAsync(7, JobState.Failed);

        Assert.Equal(30, failed.Count);
        Assert.All(failed, row => Assert.Equal(JobState.Failed, row.State));
    }

    [Fact]
    public async Task List_NothingRecorded_IsEmpty() => Assert.Empty(await ListAllAsync(10, null));

    [Theory]
    [InlineData("nonsense", 10)]
    [InlineData("1.", 10)]
    [InlineData("ffffffffffffffff.a", 10)]
    [InlineData(null, 0)]
    [InlineData(null, 501)]
    public async Task List_BadCursorOrLimit_IsATypedError(string? after, int limit)
    {
        var fault = await Assert.ThrowsAsync<ActorException>(() => _control.IndexAsync(index => index.List(new JobListRequest(after, limit, null))));

        Assert.Equal(ErrorCodes.InvalidRequest, fault.Code);
    }

    private static JobSummary Row(int i) => new($"job-{i:D5}", JobKinds.BatchInfer, JobState.Queued, 0, Start.AddSeconds(i), null) { Version = 1 };

    private Task<bool> RecordAsync(JobSummary row) => _control.IndexAsync(async index =>
    {
        await index.Record([row]);
        return true;
    });

    private async Task<List<JobSummary>> ListAllAsync(int limit, JobState? state)
    {
        var all = new List<JobSummary>();
        string? after = null;
        do
        {
            var page = await _control.IndexAsync(index => index.List(new JobListRequest(after, limit, state)));
            Assert.True(page.Jobs.Count <= limit);
            all.AddRange(page.Jobs);
            after = page.Next;
        }
        while (after is not null);
        return all;
    }
}
