namespace Platform.Control.Jobs;

/// <summary>Jobs that found no node, oldest first, in memory: whoever frees a slot wakes the first. Lost with the process, which is no harm: each job checks by itself too.</summary>
internal sealed class WaitingJobs
{
    private readonly Lock _lock = new();
    private readonly SortedSet<(DateTimeOffset SubmittedAt, string Id)> _jobs = [];

    public void Add(string id, DateTimeOffset submittedAt)
    {
        lock (_lock)
        {
            _jobs.Add((submittedAt, id));
        }
    }

    public void Remove(string id, DateTimeOffset submittedAt)
    {
        lock (_lock)
        {
            _jobs.Remove((submittedAt, id));
        }
    }

    /// <summary>Takes up to <paramref name="count"/> jobs out, oldest first.</summary>
    public IReadOnlyList<(DateTimeOffset SubmittedAt, string Id)> Take(int count)
    {
        lock (_lock)
        {
            var first = _jobs.Take(count).ToArray();
            _jobs.ExceptWith(first);
            return first;
        }
    }
}
