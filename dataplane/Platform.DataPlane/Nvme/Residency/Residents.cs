using Platform.DataPlane.Nvme.Blobs;
using Platform.DataPlane.Tiering;

namespace Platform.DataPlane.Nvme.Residency;

/// <summary>The blobs of an open tier, and the bytes that they take: all that admission, removal, writers and leases change, under one gate.</summary>
internal sealed class Residents(long limitBytes, IReadOnlyDictionary<TierClass, ClassShare> shares)
{
    private const int RememberedRemovals = 1000;

    private readonly Dictionary<string, string> _removals = new(StringComparer.Ordinal);
    private readonly Queue<string> _removalOrder = new();
    private TaskCompletionSource _fewerOnlyCopies = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _usedBytes;
    private long _clock;

    public Lock Gate { get; } = new();

    /// <summary>Whoever admits, replaces or removes a blob has the turn; the gate is for the moment in which the tables change.</summary>
    public SemaphoreSlim Turn { get; } = new(1);

    /// <summary>By key. Under the gate.</summary>
    public Dictionary<string, Blob> Blobs { get; } = new(StringComparer.Ordinal);

    /// <summary>Keys whose blobs are never evicted, here or not. Changed with the turn and under the gate.</summary>
    public HashSet<string> Pinned { get; } = new(StringComparer.Ordinal);

    /// <summary>Removed, but still read or not yet deleted; they take room. Under the gate.</summary>
    public HashSet<Blob> Leaving { get; } = [];

    /// <summary>Of those, the ones whose file could not be deleted. Under the gate.</summary>
    public HashSet<Blob> Undeleted { get; } = [];

    /// <summary>Of those, the ones that a commit may have recorded which was reported as failed. Under the gate.</summary>
    public HashSet<Blob> Undecided { get; } = [];

    /// <summary>Only copies that are being written. Under the gate.</summary>
    public HashSet<Blob> Writing { get; } = [];

    /// <summary>Under the gate.</summary>
    public TierBudget Budget { get; } = new(limitBytes, shares);

    /// <summary>Bytes that blobs may take.</summary>
    public long LimitBytes { get; } = limitBytes;

    /// <summary>Bytes that blobs and what is set aside take on the device.</summary>
    public long UsedBytes => Interlocked.Read(ref _usedBytes);

    /// <summary>Names the next blob's file. With the turn.</summary>
    public long NextId { get; set; } = 1;

    /// <summary>Counts leases: how long ago something was used is said in leases since. Under the gate.</summary>
    public long Now => _clock;

    /// <summary>Under the gate.</summary>
    public bool IsClosed { get; set; }

    /// <summary>Of <see cref="UsedBytes"/>, what a damaged catalog left behind and nobody has looked at yet. Set when the tier is opened.</summary>
    public long SetAsideBytes { get; private set; }

    /// <summary>Counts files that are kept without being blobs.</summary>
    public void SetAside(long bytes)
    {
        SetAsideBytes += bytes;
        Take(bytes);
    }

    public void Take(long bytes) => Interlocked.Add(ref _usedBytes, bytes);

    public void GiveBack(long bytes) => Interlocked.Add(ref _usedBytes, -bytes);

    /// <summary>Makes a blob the one of its key. Under the gate.</summary>
    /// <returns>False if the key has one already.</returns>
    public bool TryEnter(Blob blob)
    {
        blob.IsPinned = Pinned.Contains(blob.Key);
        return Blobs.TryAdd(blob.Key, blob);
    }

    /// <summary>Moves the clock on. Under the gate.</summary>
    public long Tick() => ++_clock;

    /// <summary>Blobs that are nowhere else, those being written included. Under the gate.</summary>
    public IEnumerable<Blob> OnlyCopies() => Blobs.Values.Concat(Writing).Where(blob => blob.Record.Durability == Durability.OnlyCopy);

    /// <summary>Completes when there are fewer only copies, or the tier closes. Under the gate.</summary>
    public Task FewerOnlyCopies => _fewerOnlyCopies.Task;

    /// <summary>Lets those go on that wait for fewer only copies.</summary>
    public void SignalFewerOnlyCopies()
    {
        TaskCompletionSource waiting;
        lock (Gate)
        {
            waiting = _fewerOnlyCopies;
            _fewerOnlyCopies = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        waiting.SetResult();
    }

    /// <summary>Keeps why a key is no longer here. Under the gate.</summary>
    public void Remember(string key, string reason)
    {
        if (_removals.TryAdd(key, reason))
        {
            _removalOrder.Enqueue(key);
        }

        _removals[key] = reason;
        if (_removalOrder.Count > RememberedRemovals)
        {
            _removals.Remove(_removalOrder.Dequeue());
        }
    }

    /// <summary>Why a key is not here; null if it was not asked for. Under the gate.</summary>
    public string? RemovalOf(string key) => _removals.GetValueOrDefault(key);
}
