using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Lists jobs, and sums up what they used. The rows lie in a <see cref="JobIndexTree"/>.</summary>
internal sealed class JobIndexActor : Actor, IJobIndexActor
{
    private const int MaxLimit = 500;

    /// <summary>Pages that one listing reads at most; a filter that matches little goes on with the cursor.</summary>
    internal const int MaxPagesPerList = 64;
    private const string RemovedKey = "removed-usage";
    private readonly JobIndexCache _cache;

    public JobIndexActor(ActorHost host)
        : base(host) => _cache = new JobIndexCache(StateManager);

    public async Task Record(List<JobSummary> rows)
    {
        var tree = await _cache.BeginTurnAsync();
        foreach (var row in rows)
        {
            await tree.PutAsync(row);
        }

        await StateManager.SaveStateAsync();
    }

    public async Task Remove(JobSummary summary)
    {
        var tree = await _cache.BeginTurnAsync();
        if (await tree.RemoveAsync(summary) is { } removed)
        {
            await StateManager.SetStateAsync(RemovedKey, (await RemovedAsync()).Add(removed));
            await StateManager.SaveStateAsync();
        }
    }

    public async Task<UsageTable> Usage(UsageRequest request)
    {
        if (!UsageKeys.All.Contains(request.By))
        {
            throw new ActorException(ErrorCodes.InvalidRequest, $"Usage is summed up by {string.Join(", ", UsageKeys.All)}; '{request.By}' is none of them.");
        }

        var tree = await _cache.BeginTurnAsync();
        var sums = new UsageSums(request);
        sums.Add(await RemovedAsync());
        await foreach (var page in tree.PagesBackAsync(null))
        {
            page.ForEach(sums.Add);
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

        var tree = await _cache.BeginTurnAsync();
        var found = new List<JobSummary>();
        var (last, read) = (before, 0);
        await foreach (var rows in tree.PagesBackAsync(before))
        {
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

            if (++read == MaxPagesPerList)
            {
                return new JobList(found, last?.ToString());
            }
        }

        return new JobList(found, null);
    }

    private async Task<RemovedUsage> RemovedAsync() =>
        await StateManager.TryGetStateAsync<RemovedUsage>(RemovedKey) is { HasValue: true } found ? found.Value : RemovedUsage.Nothing;

    private static bool Meets(JobSummary row, JobListRequest request) =>
        (request.State is null || row.State == request.State)
        && (request.Kind is null || row.Kind == request.Kind)
        && (request.Labels is null || request.Labels.All(label => row.Labels is not null && row.Labels.TryGetValue(label.Key, out var value) && value == label.Value));
}
