namespace Platform.Jobs;

/// <summary>One row of <c>GET /api/jobs</c>.</summary>
public sealed record JobSummary(string Id, string Kind, JobState State, int Attempts, DateTimeOffset SubmittedAt, DateTimeOffset? EndedAt)
{
    /// <summary>Grows with every change of the job, so that a row that arrives late does not hide a newer one.</summary>
    public long Version { get; init; }

    /// <summary>See <see cref="JobSpec.Priority"/>.</summary>
    public int Priority { get; init; }

    /// <summary>See <see cref="JobSpec.Model"/>.</summary>
    public string? Model { get; init; }

    /// <summary>See <see cref="JobSpec.Labels"/>.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    /// <summary>Sum of the ledgers of all ended attempts; null if none has ended.</summary>
    public UsageTotals? Usage { get; init; }
}

/// <summary>Argument of <c>JobIndexActor.List</c>. A row must meet all of the filters.</summary>
/// <param name="After">The <see cref="JobList.Next"/> of the page before; null for the newest jobs.</param>
/// <param name="Limit">Rows at most, 1 to 500.</param>
/// <param name="State">Only jobs in this state; null for all.</param>
public sealed record JobListRequest(string? After, int Limit, JobState? State)
{
    /// <summary>Only jobs of this kind; null for all.</summary>
    public string? Kind { get; init; }

    /// <summary>Only jobs with all of these labels; null for all.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    /// <summary>Only jobs submitted at this moment or later; null for all.</summary>
    public DateTimeOffset? Since { get; init; }
}

/// <summary>The answer of <c>GET /api/jobs</c>: newest first.</summary>
/// <param name="Jobs">One page.</param>
/// <param name="Next">Pass as <c>?after=</c> for the next page; null at the end.</param>
public sealed record JobList(IReadOnlyList<JobSummary> Jobs, string? Next);
