using System.Globalization;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Place of a row in the index: by time of submission, then by id.</summary>
internal readonly record struct JobIndexKey(DateTimeOffset SubmittedAt, string Id)
{
    public static JobIndexKey Of(JobSummary row) => new(row.SubmittedAt, row.Id);

    /// <summary>Negative if <paramref name="one"/> is older.</summary>
    public static int Compare(JobIndexKey one, JobIndexKey other)
    {
        var byTime = one.SubmittedAt.UtcTicks.CompareTo(other.SubmittedAt.UtcTicks);
        return byTime != 0 ? byTime : string.CompareOrdinal(one.Id, other.Id);
    }

    /// <summary>The key as the cursor of a listing.</summary>
    public override string ToString() => $"{SubmittedAt.UtcTicks:x}.{Id}";

    public static bool TryParse(string text, out JobIndexKey key)
    {
        key = default;
        var dot = text.IndexOf('.', StringComparison.Ordinal);
        if (dot < 1
            || !long.TryParse(text.AsSpan(0, dot), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var ticks)
            || ticks < 0 || ticks > DateTimeOffset.MaxValue.UtcTicks
            || !Names.IsJobId(text[(dot + 1)..]))
        {
            return false;
        }

        key = new JobIndexKey(new DateTimeOffset(ticks, TimeSpan.Zero), text[(dot + 1)..]);
        return true;
    }
}

/// <summary>The root of the index. Each node and each page is a value of its own, so that a change writes a page, rarely a node above it, and never the whole index.</summary>
/// <param name="Pages">Children of the root, oldest first; the first also takes whatever is older.</param>
/// <param name="NextNumber">Number of the next new page or node.</param>
internal sealed record JobIndexDirectory(IReadOnlyList<JobIndexPageRange> Pages, int NextNumber)
{
    public static JobIndexDirectory Empty { get; } = new([], 0);

    /// <summary>Levels of nodes between the root and the pages: with 0 the root's children are pages.</summary>
    public int Depth { get; init; }
}

/// <summary>A child of a node of the index.</summary>
/// <param name="Number">Names the child's value.</param>
/// <param name="First">Lowest key that belongs here.</param>
internal sealed record JobIndexPageRange(int Number, JobIndexKey First)
{
    /// <summary>Position in <paramref name="ranges"/> of the child in which <paramref name="key"/> belongs; -1 if there is none.</summary>
    public static int Find(IReadOnlyList<JobIndexPageRange> ranges, JobIndexKey key)
    {
        var (low, high) = (0, ranges.Count - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            if (JobIndexKey.Compare(ranges[middle].First, key) <= 0)
            {
                low = middle;
            }
            else
            {
                high = middle - 1;
            }
        }

        return ranges.Count == 0 ? -1 : low;
    }
}
