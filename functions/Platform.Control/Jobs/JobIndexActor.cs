using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Lists jobs. Rows lie in pages of at most <see cref="PageRows"/>, sorted by time of submission, with a directory above: two levels of a B+ tree.</summary>
internal sealed class JobIndexActor(ActorHost host) : Actor(host), IJobIndexActor
{
    public const int PageRows = 64;
    private const int MaxLimit = 500;

    /// <summary>Pages that one listing reads at most; a filter that matches little goes on with the cursor.</summary>
    private const int MaxPagesPerList = 64;
    private const string DirectoryKey = "directory";
    private const string RemovedKey = "removed-usage";

    public async Task Record(List<JobSummary> rows)
    {
        foreach (var row in rows)
        {
            await PutAsync(row);
        }

        await StateManager.SaveStateAsync();
    }

    public async Task Remove(JobSummary summary)
    {
        var directory = await DirectoryAsync();
        var position = directory.Find(JobIndexKey.Of(summary));
        if (position < 0)
        {
            return;
        }

        var page = directory.Pages[position];
        var rows = await PageAsync(page.Number);
        var at = rows.BinarySearch(summary, RowOrder.Instance);
        if (at < 0)
        {
            return;
        }

        await StateManager.SetStateAsync(RemovedKey, (await RemovedAsync()).Add(rows[at]));
        rows = [.. rows[..at], .. rows[(at + 1)..]];
        if (rows.Count > 0)
        {
            await StateManager.SetStateAsync(PageKey(page.Number), rows);
        }
        else
        {
            await StateManager.RemoveStateAsync(PageKey(page.Number));
            await SetAsync(directory, [.. directory.Pages.Where(other => other.Number != page.Number)], directory.NextNumber);
        }

        await StateManager.SaveStateAsync();
    }

    public async Task<UsageTable> Usage(UsageRequest request)
    {
        if (!UsageKeys.All.Contains(request.By))
        {
            throw new ActorException(ErrorCodes.InvalidRequest, $"Usage is summed up by {string.Join(", ", UsageKeys.All)}; '{request.By}' is none of them.");
        }

        var sums = new UsageSums(request);
        sums.Add(await RemovedAsync());
        foreach (var page in (await DirectoryAsync()).Pages)
        {
            foreach (var row in await PageAsync(page.Number))
            {
                sums.Add(row);
            }
        }

        return sums.ToTable();
    }

    public async Task<JobList> List(JobListRequest request)
    {
        if (request.Limit is < 1 or > MaxLimit)
        {
            throw new ActorException(ErrorCodes.InvalidRequest, $"A page has 1 to {MaxLimit} jobs; {request.Limit} were asked for.");
        }

        JobIndexKey? before = null;
        if (request.After is { } cursor)
        {
            before = JobIndexKey.TryParse(cursor, out var parsed)
                ? parsed
                : throw new ActorException(ErrorCodes.InvalidRequest, $"'{cursor}' is no cursor of this listing; pass the 'next' of the page before.");
        }

        var directory = await DirectoryAsync();
        var found = new List<JobSummary>();
        var last = before;
        var position = before is { } start ? directory.Find(start) : directory.Pages.Count - 1;
        for (var read = 0; position >= 0 && read < MaxPagesPerList; position--, read++)
        {
            var rows = await PageAsync(directory.Pages[position].Number);
            for (var i = rows.Count - 1; i >= 0; i--)
            {
                if (before is { } bound && JobIndexKey.Compare(JobIndexKey.Of(rows[i]), bound) >= 0)
                {
                    continue;
                }

                if (found.Count == request.Limit)
                {
                    return new JobList(found, last?.ToString());
                }

                last = JobIndexKey.Of(rows[i]);
                if (request.Since is { } since && rows[i].SubmittedAt < since)
                {
                    return new JobList(found, null);
                }

                if (Meets(rows[i], request))
                {
                    found.Add(rows[i]);
                }
            }
        }

        return new JobList(found, position >= 0 ? last?.ToString() : null);
    }

    /// <summary>Puts a row where it belongs; saved with the others of its call.</summary>
    private async Task PutAsync(JobSummary summary)
    {
        var directory = await DirectoryAsync();
        var key = JobIndexKey.Of(summary);
        var position = directory.Find(key);
        if (position < 0)
        {
            await SetAsync(directory, [new JobIndexPageRange(directory.NextNumber, key)], directory.NextNumber + 1, (directory.NextNumber, [summary]));
            return;
        }

        var page = directory.Pages[position];
        var rows = await PageAsync(page.Number);
        var at = rows.BinarySearch(summary, RowOrder.Instance);
        if (at >= 0)
        {
            if (rows[at].Version < summary.Version)
            {
                await StateManager.SetStateAsync<List<JobSummary>>(PageKey(page.Number), [.. rows[..at], summary, .. rows[(at + 1)..]]);
            }
        }
        else if (rows.Count < PageRows)
        {
            await StateManager.SetStateAsync<List<JobSummary>>(PageKey(page.Number), [.. rows[..~at], summary, .. rows[~at..]]);
        }
        else
        {
            await SplitAsync(directory, position, [.. rows[..~at], summary, .. rows[~at..]], isNewest: position == directory.Pages.Count - 1 && ~at == rows.Count);
        }
    }

    /// <summary>A full page becomes two: halves, or, where rows come in order, the full page and a new one with the newest row.</summary>
    private async Task SplitAsync(JobIndexDirectory directory, int position, List<JobSummary> rows, bool isNewest)
    {
        var cut = isNewest ? rows.Count - 1 : rows.Count / 2;
        var page = directory.Pages[position];
        var added = new JobIndexPageRange(directory.NextNumber, JobIndexKey.Of(rows[cut]));
        await SetAsync(
            directory,
            [.. directory.Pages.Take(position + 1), added, .. directory.Pages.Skip(position + 1)],
            directory.NextNumber + 1,
            (page.Number, rows[..cut]),
            (added.Number, rows[cut..]));
    }

    private async Task<JobIndexDirectory> DirectoryAsync() =>
        await StateManager.TryGetStateAsync<JobIndexDirectory>(DirectoryKey) is { HasValue: true } found ? found.Value : JobIndexDirectory.Empty;

    private async Task<RemovedUsage> RemovedAsync() =>
        await StateManager.TryGetStateAsync<RemovedUsage>(RemovedKey) is { HasValue: true } found ? found.Value : RemovedUsage.Nothing;

    private static bool Meets(JobSummary row, JobListRequest request) =>
        (request.State is null || row.State == request.State)
        && (request.Kind is null || row.Kind == request.Kind)
        && (request.Labels is null || request.Labels.All(label => row.Labels is not null && row.Labels.TryGetValue(label.Key, out var value) && value == label.Value));

    private Task<List<JobSummary>> PageAsync(int number) => StateManager.GetStateAsync<List<JobSummary>>(PageKey(number));

    private async Task SetAsync(JobIndexDirectory directory, IReadOnlyList<JobIndexPageRange> pages, int nextNumber, params (int Number, List<JobSummary> Rows)[] changed)
    {
        await StateManager.SetStateAsync(DirectoryKey, directory with { Pages = pages, NextNumber = nextNumber });
        foreach (var (number, rows) in changed)
        {
            await StateManager.SetStateAsync(PageKey(number), rows);
        }
    }

    private static string PageKey(int number) => $"page-{number}";

    private sealed class RowOrder : IComparer<JobSummary>
    {
        public static readonly RowOrder Instance = new();

        public int Compare(JobSummary? one, JobSummary? other) => JobIndexKey.Compare(JobIndexKey.Of(one!), JobIndexKey.Of(other!));
    }
}
