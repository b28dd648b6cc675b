namespace Platform.DataPlane.Tiering;

/// <summary>Order of eviction inside a class: S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction", SOSP 2023).</summary>
/// <remarks>
/// New items wait in a small queue, a tenth of the bytes. What is used again there moves to the main queue; what is not leaves, and only its name is remembered for a while:
/// if it comes back it goes to the main queue at once. So a scan passes through the tenth and pushes nothing out that is in use. As long as the main queue is not full it takes
/// what has waited longest, used or not, so that of a set too large for the tier a part stays and is hit, instead of all of it passing through. Not thread-safe.
/// </remarks>
internal sealed class S3FifoQueue
{
    private const int MaxUses = 3;
    private const int SmallShare = 10;

    // The small queue may have up to so many times its share before the main queue counts as not full: single items are large beside a tenth of a small tier.
    private const int Underfull = 3;

    private readonly LinkedList<Entry> _small = new();
    private readonly LinkedList<Entry> _main = new();
    private readonly Dictionary<IBudgetItem, Entry> _entries = [];
    private readonly Queue<string> _ghostOrder = new();
    private readonly HashSet<string> _ghosts = new(StringComparer.Ordinal);
    private long _smallBytes;
    private long _mainBytes;

    public long Bytes => _smallBytes + _mainBytes;

    /// <summary>Bytes of the items that may go.</summary>
    public long BytesThatMayGo => _entries.Keys.Where(item => item.MayGo).Sum(item => item.AllocatedBytes);

    /// <summary>Adds a new item.</summary>
    public void Add(IBudgetItem item)
    {
        var entry = new Entry(item);
        _entries.Add(item, entry);
        if (_ghosts.Remove(item.Key))
        {
            ToMain(entry);
        }
        else
        {
            entry.Node = _small.AddLast(entry);
            _smallBytes += item.AllocatedBytes;
        }
    }

    /// <summary>Notes that an item was used again.</summary>
    public void Touch(IBudgetItem item)
    {
        if (_entries.TryGetValue(item, out var entry))
        {
            entry.Uses = Math.Min(MaxUses, entry.Uses + 1);
        }
    }

    /// <summary>How often an item was used since it last moved, 0 to 3.</summary>
    public int UsesOf(IBudgetItem item) => _entries.TryGetValue(item, out var entry) ? entry.Uses : 0;

    /// <summary>Takes an item out.</summary>
    public void Remove(IBudgetItem item)
    {
        if (!_entries.Remove(item, out var entry))
        {
            return;
        }

        var wasSmall = entry.Node!.List == _small;
        Leave(entry);
        if (wasSmall && _ghosts.Add(item.Key))
        {
            _ghostOrder.Enqueue(item.Key);
            while (_ghostOrder.Count > Math.Max(64, _entries.Count))
            {
                _ghosts.Remove(_ghostOrder.Dequeue());
            }
        }
    }

    /// <summary>The item to go next; null if none may go. It stays in the queue until it is removed.</summary>
    public IBudgetItem? NextVictim(Func<IBudgetItem, bool> mayGo)
    {
        // Each step uses up one use, moves one item from small to main, or passes one over; more steps than that mean that nobody may go.
        FillMain();
        for (var steps = (_entries.Count * (MaxUses + 2)) + 1; steps > 0; steps--)
        {
            var fromSmall = _small.Count > 0 && (_main.Count == 0 || _smallBytes * SmallShare > Bytes);
            var entry = (fromSmall ? _small : _main).First?.Value;
            if (entry is null)
            {
                return null;
            }

            if (entry.Uses > 0)
            {
                Leave(entry);
                entry.Uses = fromSmall ? 0 : entry.Uses - 1;
                ToMain(entry);
            }
            else if (mayGo(entry.Item))
            {
                return entry.Item;
            }
            else
            {
                Leave(entry);
                ToMain(entry);
            }
        }

        return null;
    }

    /// <summary>Gives the oldest of the small queue to a main queue that is not full, as after the first items, or after many were removed: what is there first stays until something better comes.</summary>
    private void FillMain()
    {
        if (_smallBytes * SmallShare > Bytes * Underfull)
        {
            while (_small.Count > 1 && _smallBytes * SmallShare > Bytes)
            {
                var entry = _small.First!.Value;
                Leave(entry);
                ToMain(entry);
            }
        }
    }

    /// <summary>Every item that may go, in the order in which they would if nothing were used meanwhile.</summary>
    public IEnumerable<IBudgetItem> VictimOrder(Func<IBudgetItem, bool> mayGo)
    {
        var copy = new S3FifoQueue();
        foreach (var entry in _small.Concat(_main))
        {
            copy.Add(entry.Item);
            copy._entries[entry.Item].Uses = entry.Uses;
            if (entry.Node!.List == _main)
            {
                copy.Leave(copy._entries[entry.Item]);
                copy.ToMain(copy._entries[entry.Item]);
            }
        }

        while (copy.NextVictim(mayGo) is { } victim)
        {
            yield return victim;
            copy.Remove(victim);
        }
    }

    private void Leave(Entry entry)
    {
        var list = entry.Node!.List!;
        list.Remove(entry.Node);
        if (list == _small)
        {
            _smallBytes -= entry.Item.AllocatedBytes;
        }
        else
        {
            _mainBytes -= entry.Item.AllocatedBytes;
        }
    }

    private void ToMain(Entry entry)
    {
        entry.Node = _main.AddLast(entry);
        _mainBytes += entry.Item.AllocatedBytes;
    }

    private sealed class Entry(IBudgetItem item)
    {
        public IBudgetItem Item => item;

        public int Uses { get; set; }

        public LinkedListNode<Entry>? Node { get; set; }
    }
}
