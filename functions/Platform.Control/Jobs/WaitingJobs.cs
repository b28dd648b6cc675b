using System.Runtime.InteropServices;

namespace Platform.Control.Jobs;

/// <summary>Jobs that found no node, the most urgent first, in memory: whoever frees a slot wakes the first. Lost with the process, which is no harm: each job checks by itself too.</summary>
internal sealed class WaitingJobs
{
    private readonly Lock _lock = new();
    private readonly SortedSet<WaitingJob> _jobs = [];

    /// <summary>Jobs that no free slot would help at present: they wait for something else than their turn.</summary>
    private readonly HashSet<string> _stuck = new(StringComparer.Ordinal);

    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _jobs.Count;
            }
        }
    }

    /// <summary>Adds a job, or says anew whether its turn is all that it waits for.</summary>
    public void Add(WaitingJob job, bool isStuck = false)
    {
        lock (_lock)
        {
            _jobs.Add(job);
            if (isStuck)
            {
                _stuck.Add(job.Id);
            }
            else
            {
                _stuck.Remove(job.Id);
            }
        }
    }

    public void Remove(WaitingJob job)
    {
        lock (_lock)
        {
            _jobs.Remove(job);
            _stuck.Remove(job.Id);
        }
    }

    /// <summary>True if at least <paramref name="slots"/> jobs that wait for nothing but a slot come before <paramref name="job"/>.</summary>
    public bool IsBehind(WaitingJob job, int slots)
    {
        lock (_lock)
        {
            var ahead = 0;
            foreach (var other in _jobs)
            {
                if (ahead >= slots || other >= job)
                {
                    break;
                }

                ahead += _stuck.Contains(other.Id) ? 0 : 1;
            }

            return ahead >= slots;
        }
    }

    /// <summary>Takes up to <paramref name="count"/> jobs out, the most urgent first, beginning after <paramref name="after"/>.</summary>
    public IReadOnlyList<WaitingJob> Take(int count, WaitingJob? after = null)
    {
        lock (_lock)
        {
            var first = (after is { } last ? _jobs.Where(job => job > last) : _jobs).Take(count).ToArray();
            _jobs.ExceptWith(first);
            _stuck.ExceptWith(first.Select(job => job.Id));
            return first;
        }
    }
}

/// <summary>A job in the line: a higher priority goes first, then the earlier submission.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct WaitingJob(int Priority, DateTimeOffset SubmittedAt, string Id) : IComparable<WaitingJob>
{
    public static bool operator <(WaitingJob one, WaitingJob other) => one.CompareTo(other) < 0;

    public static bool operator >(WaitingJob one, WaitingJob other) => one.CompareTo(other) > 0;

    public static bool operator <=(WaitingJob one, WaitingJob other) => one.CompareTo(other) <= 0;

    public static bool operator >=(WaitingJob one, WaitingJob other) => one.CompareTo(other) >= 0;

    public int CompareTo(WaitingJob other) =>
        other.Priority != Priority ? other.Priority.CompareTo(Priority)
        : SubmittedAt != other.SubmittedAt ? SubmittedAt.CompareTo(other.SubmittedAt)
        : string.CompareOrdinal(Id, other.Id);
}
