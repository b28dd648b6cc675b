using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>How far an array job has come. Children are submitted in the order of their indexes, so a number says which exist; those under way are listed, which the parallelism bounds.</summary>
internal sealed record ArrayProgress
{
    private const int MaxFailedIndexes = 100;

    /// <summary>Indexes below this one have been decided to be jobs.</summary>
    public int Submitted { get; init; }

    /// <summary>Indexes that have not told their end.</summary>
    public IReadOnlyList<int> Open { get; init; } = [];

    public int Succeeded { get; init; }

    public int Failed { get; init; }

    public int Cancelled { get; init; }

    public long Tokens { get; init; }

    public IReadOnlyList<int> FailedIndexes { get; init; } = [];

    /// <summary>Indexes below this one have been removed, as the parent will be after the last.</summary>
    public int Forgotten { get; init; }

    /// <summary>Opens as many further indexes as the limit allows.</summary>
    public ArrayProgress Fill(JobArray array)
    {
        var more = Math.Clamp(array.Parallelism - Open.Count, 0, array.Size - Submitted);
        return more == 0 ? this : this with { Submitted = Submitted + more, Open = [.. Open, .. Enumerable.Range(Submitted, more)] };
    }

    /// <summary>Takes the end of a child; one that was told before changes nothing.</summary>
    public ArrayProgress Take(ChildReport child)
    {
        if (!Open.Contains(child.Index))
        {
            return this;
        }

        var next = this with { Open = [.. Open.Where(index => index != child.Index)] };
        return child.State switch
        {
            JobState.Succeeded => next with { Succeeded = Succeeded + 1, Tokens = Tokens + child.Tokens },
            JobState.Cancelled => next with { Cancelled = Cancelled + 1 },
            _ => next with { Failed = Failed + 1, FailedIndexes = [.. FailedIndexes.Append(child.Index).Order().Take(MaxFailedIndexes)] },
        };
    }

    public JobArrayStatus ToStatus(int size) => new(size, Submitted, Succeeded, Failed, Cancelled, Tokens, FailedIndexes);
}
