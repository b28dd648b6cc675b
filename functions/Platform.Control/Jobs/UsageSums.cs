using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Sums rows up by one key.</summary>
internal sealed class UsageSums(UsageRequest request)
{
    private readonly SortedDictionary<string, UsageTotals> _rows = new(StringComparer.Ordinal);
    private readonly DateOnly? _since = request.Since is { } since ? DateOnly.FromDateTime(since.UtcDateTime) : null;

    public void Add(JobSummary row)
    {
        if (row.Usage is { } usage)
        {
            Add(UsageDay.Of(row), usage);
        }
    }

    public void Add(RemovedUsage removed)
    {
        foreach (var entry in removed.Entries)
        {
            Add(entry.Day, entry.Totals);
        }
    }

    public UsageTable ToTable() => new(
        request.By,
        [.. _rows.Select(row => new UsageRow(row.Key, row.Value))],
        _rows.Values.Aggregate(new UsageTotals(), (sum, totals) => sum + totals));

    private void Add(UsageDay day, UsageTotals totals)
    {
        if (_since is { } since && day.Day < since)
        {
            return;
        }

        var key = request.By switch
        {
            UsageKeys.Function => day.Function,
            UsageKeys.Model => day.Model,
            UsageKeys.Tenant => day.Tenant,
            _ => day.Kind,
        };
        _rows[key] = _rows.GetValueOrDefault(key, new UsageTotals()) + totals;
    }
}

/// <summary>What removed jobs have used, by day and key: exact, and small however many they were.</summary>
/// <param name="Entries">One per day and keys.</param>
internal sealed record RemovedUsage(IReadOnlyList<RemovedUsageEntry> Entries)
{
    public static RemovedUsage Nothing { get; } = new([]);

    public RemovedUsage Add(JobSummary row)
    {
        if (row.Usage is not { } usage)
        {
            return this;
        }

        var day = UsageDay.Of(row);
        var known = Entries.FirstOrDefault(entry => entry.Day == day);
        return new RemovedUsage([.. Entries.Where(entry => entry != known), new RemovedUsageEntry(day, usage + (known?.Totals ?? new UsageTotals()))]);
    }
}

/// <summary>The sums of removed jobs with the same day and keys.</summary>
internal sealed record RemovedUsageEntry(UsageDay Day, UsageTotals Totals);

/// <summary>By what a job's usage can be told apart.</summary>
internal sealed record UsageDay(DateOnly Day, string Kind, string Model, string Function, string Tenant)
{
    public static UsageDay Of(JobSummary row) => new(
        DateOnly.FromDateTime(row.SubmittedAt.UtcDateTime),
        row.Kind,
        row.Model ?? "",
        row.Labels?.GetValueOrDefault(UsageKeys.Function) ?? "",
        row.Labels?.GetValueOrDefault(UsageKeys.Tenant) ?? "");
}
