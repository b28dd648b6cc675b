using Platform.Dapr.Actors;

namespace Platform.Control.Jobs;

/// <summary>What the index keeps of its pages and nodes in memory from turn to turn: a bounded number, however many a turn reads.</summary>
internal sealed class JobIndexCache(IActorStateManager state)
{
    /// <summary>Pages and nodes at most, about; 512 pages of 64 rows are some 15 MB.</summary>
    private const int MaxKept = 512;
    private readonly HashSet<string> _kept = new(StringComparer.Ordinal);

    /// <summary>The tree for one turn.</summary>
    public async Task<JobIndexTree> BeginTurnAsync()
    {
        await TrimAsync();
        return new JobIndexTree(state, this);
    }

    /// <summary>A page or node has been read or written.</summary>
    public void Keep(string key) => _kept.Add(key);

    /// <summary>Forgets what was read if it has become too much. Not to be called while a change waits to be saved.</summary>
    public async Task TrimAsync()
    {
        if (_kept.Count > MaxKept)
        {
            await state.ClearCacheAsync();
            _kept.Clear();
        }
    }
}
