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
    [InlineData(JobIndexTree.PageRows)]
    [InlineData(JobIndexTree.PageRows + 1)]
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
    public async Task Index_OfManyRowsInAnyOrder_AgreesWithASortedListWhateverIsAddedAndRemoved()
    {
        // More rows than a root of pages holds, so that nodes lie in between; twice removed to nothing, so that they go again.
        var random = new Random(7);
        for (var round = 0; round < 2; round++)
        {
            var rows = Enumerable.Range(0, JobIndexTree.PageRows * JobIndexTree.FanOut + 500).Select(i => Row(i) with { Usage = new UsageTotals { Jobs = 1, Attempts = 1 } }).ToArray();
            await RecordAllAsync(rows[..^3000]);
            var rest = rows[^3000..];
            random.Shuffle(rest);
            await RecordAllAsync(rest);
            _control.Restart();
            Assert.Equal(rows.Reverse().Select(row => row.Id), (await ListAllAsync(500, null)).Select(row => row.Id));

            random.Shuffle(rows);
            foreach (var row in rows[100..])
            {
                await RemoveAsync(row);
            }

            Assert.Equal(rows[..100].OrderByDescending(row => row.SubmittedAt).Select(row => row.Id), (await ListAllAsync(500, null)).Select(row => row.Id));
            foreach (var row in rows[..100])
            {
                await RemoveAsync(row);
            }

            Assert.Empty(await ListAllAsync(10, null));
            var table = await _control.IndexAsync(index => index.Usage(new UsageRequest(UsageKeys.Kind, null)));
            Assert.Equal((round + 1) * rows.Length, table.Total.Jobs);
        }
    }

    [Fact]
    public async Task Record_IntoAnIndexOfManyPages_WritesAFewOfItsValues()
    {
        await RecordAllAsync([.. Enumerable.Range(0, JobIndexTree.PageRows * JobIndexTree.FanOut * 2).Select(Row)]);
        var before = _control.Sidecar.StateOf(nameof(JobIndexActor), AppIds.IndexActorId);

        await RecordAllAsync([.. Enumerable.Range(JobIndexTree.PageRows * JobIndexTree.FanOut * 2, JobIndexTree.PageRows).Select(Row)]);

        var written = _control.Sidecar.StateOf(nameof(JobIndexActor), AppIds.IndexActorId).Where(value => before.GetValueOrDefault(value.Key) != value.Value).ToArray();
        Assert.InRange(written.Length, 1, 5);
        Assert.InRange(written.Sum(value => value.Value.Length), 1, 40_000);
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
    public async Task List_OfAFilterThatMatchesNothing_ReadsABoundedNumberOfPagesAndGoesOnWithTheCursor()
    {
        await RecordAllAsync([.. Enumerable.Range(0, JobIndexTree.PageRows * (JobIndexActor.MaxPagesPerList + 3)).Select(Row)]);
        _control.Restart();
        _control.Sidecar.Reads.Clear();

        var first = await _control.IndexAsync(index => index.List(new JobListRequest(null, 10, JobState.Failed)));
        var pages = PagesRead();
        var second = await _control.IndexAsync(index => index.List(new JobListRequest(first.Next, 10, JobState.Failed)));

        Assert.Equal(JobIndexActor.MaxPagesPerList, pages);
        Assert.NotNull(first.Next);
        Assert.Null(second.Next);
        Assert.Equal(JobIndexActor.MaxPagesPerList + 3, PagesRead());
    }

    [Fact]
    public async Task Usage_OfMorePagesThanAreKept_ReadsThemAgainTheNextTime()
    {
        const int Pages = 700;
        await RecordAllAsync([.. Enumerable.Range(0, JobIndexTree.PageRows * Pages).Select(i => Row(i) with { Usage = new UsageTotals { Jobs = 1 } })]);
        _control.Restart();
        _control.Sidecar.Reads.Clear();

        var first = await _control.IndexAsync(index => index.Usage(new UsageRequest(UsageKeys.Kind, null)));
        var again = await _control.IndexAsync(index => index.Usage(new UsageRequest(UsageKeys.Kind, null)));

        Assert.Equal((JobIndexTree.PageRows * Pages, JobIndexTree.PageRows * Pages), (first.Total.Jobs, again.Total.Jobs));
        Assert.InRange(PagesRead(), Pages + (Pages - 512), 2 * Pages);
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

    private int PagesRead() => _control.Sidecar.Reads.Count(name => name.Contains("/page-", StringComparison.Ordinal));

    private static JobSummary Row(int i) => new($"job-{i:D5}", JobKinds.BatchInfer, JobState.Queued, 0, Start.AddSeconds(i), null) { Version = 1 };

    private Task<bool> RecordAsync(JobSummary row) => _control.IndexAsync(async index =>
    {
        await index.Record([row]);
        return true;
    });

    private async Task RecordAllAsync(JobSummary[] rows)
    {
        foreach (var batch in rows.Chunk(256))
        {
            await _control.IndexAsync(async index =>
            {
                await index.Record([.. batch]);
                return true;
            });
        }
    }

    private Task<bool> RemoveAsync(JobSummary row) => _control.IndexAsync(async index =>
    {
        await index.Remove(row);
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
