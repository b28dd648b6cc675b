namespace Platform.Jobs;

/// <summary>Sums of ledgers, in whole milliseconds and millionths of the currency: every attempt counts once, and nothing is rounded in a sum.</summary>
public sealed record UsageTotals
{
    /// <summary>Jobs with at least one ended attempt.</summary>
    public long Jobs { get; init; }

    /// <summary>Ended attempts.</summary>
    public long Attempts { get; init; }

    /// <summary>Waiting for a node.</summary>
    public long QueuedMs { get; init; }

    /// <summary>Waiting for bytes.</summary>
    public long StagingMs { get; init; }

    /// <summary>Waiting for an engine.</summary>
    public long LoadingMs { get; init; }

    /// <summary>Working.</summary>
    public long BusyMs { get; init; }

    /// <summary>Held with nothing done.</summary>
    public long IdleWarmMs { get; init; }

    /// <summary>Sum of the costs of the attempts, in millionths.</summary>
    public long CostMicros { get; init; }

    /// <summary>Tokens of committed results.</summary>
    public long Tokens { get; init; }

    /// <summary>What nodes were held for.</summary>
    public long LeaseMs => StagingMs + LoadingMs + BusyMs + IdleWarmMs;

    /// <summary>The sums of one job; null if none of its attempts has ended.</summary>
    public static UsageTotals? Of(IEnumerable<JobAttempt> attempts, JobResult? result)
    {
        var total = new UsageTotals { Jobs = 1, Tokens = result?.Tokens ?? 0 };
        foreach (var ledger in attempts.Select(attempt => attempt.Ledger).OfType<JobLedger>())
        {
            total = total with
            {
                Attempts = total.Attempts + 1,
                QueuedMs = total.QueuedMs + ledger.QueuedMs,
                StagingMs = total.StagingMs + ledger.StagingMs,
                LoadingMs = total.LoadingMs + ledger.LoadingMs,
                BusyMs = total.BusyMs + ledger.BusyMs,
                IdleWarmMs = total.IdleWarmMs + ledger.IdleWarmMs,
                CostMicros = total.CostMicros + ledger.CostMicros,
            };
        }

        return total.Attempts == 0 ? null : total;
    }

    /// <summary>Both together.</summary>
    public static UsageTotals operator +(UsageTotals one, UsageTotals other) => new()
    {
        Jobs = one.Jobs + other.Jobs,
        Attempts = one.Attempts + other.Attempts,
        QueuedMs = one.QueuedMs + other.QueuedMs,
        StagingMs = one.StagingMs + other.StagingMs,
        LoadingMs = one.LoadingMs + other.LoadingMs,
        BusyMs = one.BusyMs + other.BusyMs,
        IdleWarmMs = one.IdleWarmMs + other.IdleWarmMs,
        CostMicros = one.CostMicros + other.CostMicros,
        Tokens = one.Tokens + other.Tokens,
    };
}

/// <summary>Argument of <c>JobIndexActor.Usage</c>.</summary>
/// <param name="By">One of <see cref="UsageKeys"/>.</param>
/// <param name="Since">Only jobs submitted on this day (UTC) or later; null for all.</param>
public sealed record UsageRequest(string By, DateTimeOffset? Since);

/// <summary>By what usage is summed up.</summary>
public static class UsageKeys
{
    /// <summary>Label <c>function</c>.</summary>
    public const string Function = "function";

    /// <summary>The model.</summary>
    public const string Model = "model";

    /// <summary>Label <c>tenant</c>.</summary>
    public const string Tenant = "tenant";

    /// <summary>The kind of job.</summary>
    public const string Kind = "kind";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All { get; } = [Function, Model, Tenant, Kind];
}

/// <summary>One line of <c>GET /api/usage</c>.</summary>
/// <param name="Key">The function, model, tenant or kind; empty for jobs that name none.</param>
/// <param name="Totals">Its sums.</param>
public sealed record UsageRow(string Key, UsageTotals Totals);

/// <summary>The answer of <c>GET /api/usage</c>. Jobs that were removed after their time to live are counted too.</summary>
/// <param name="By">One of <see cref="UsageKeys"/>.</param>
/// <param name="Rows">By key.</param>
/// <param name="Total">The sum of all rows.</param>
public sealed record UsageTable(string By, IReadOnlyList<UsageRow> Rows, UsageTotals Total);
