using System.Collections.Concurrent;

namespace Platform.DataPlane.Nvme.Store;

/// <summary>The live keys of a <see cref="DurableStore"/>: value, the commit that wrote it, and where in the log its newest copy lies.</summary>
/// <remarks>One writer at a time; readers at any time. A reader that reads two keys may see a commit between them.</remarks>
internal sealed class StoreIndex
{
    // Object headers, dictionary node and set node of one key, roughly.
    private const int OverheadBytes = 200;

    private readonly ConcurrentDictionary<string, Item> _items = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _keys = new(StringComparer.Ordinal);
    private long _liveBytes;

    /// <summary>Bytes of keys and values, with what it costs to hold them.</summary>
    public long LiveBytes => Volatile.Read(ref _liveBytes);

    public int Count => _items.Count;

    public bool TryGet(string key, out byte[] value)
    {
        var found = _items.TryGetValue(key, out var item);
        value = found ? item!.Value : [];
        return found;
    }

    /// <summary>What a write adds to <see cref="LiveBytes"/>, from nothing.</summary>
    public static long Cost(string key, byte[]? value) => value is null ? 0 : OverheadBytes + (2L * key.Length) + value.Length;

    /// <summary>Applies an operation of a commit.</summary>
    public void Apply(string key, byte[]? value, long address)
    {
        if (_items.TryGetValue(key, out var old))
        {
            _liveBytes -= Cost(key, old.Value);
        }

        if (value is null)
        {
            if (_items.TryRemove(key, out _))
            {
                lock (_keys)
                {
                    _keys.Remove(key);
                }
            }

            return;
        }

        _items[key] = new Item(value, address, address);
        _liveBytes += Cost(key, value);
        if (old is null)
        {
            lock (_keys)
            {
                _keys.Add(key);
            }
        }
    }

    /// <summary>Notes that the value written by the commit at <paramref name="origin"/> has a copy at <paramref name="address"/>, unless it was overwritten since.</summary>
    public void ApplyCopy(string key, long origin, long address)
    {
        if (_items.TryGetValue(key, out var item) && item.Version == origin)
        {
            _items[key] = item with { Location = address };
        }
    }

    /// <summary>Restores a value from a copy whose original is no longer in the log.</summary>
    public void Restore(string key, byte[] value, long origin, long address)
    {
        Apply(key, value, origin);
        _items[key] = _items[key] with { Location = address };
    }

    /// <summary>The commit that wrote a key's value; null if the key is absent.</summary>
    public long? VersionOf(string key) => _items.TryGetValue(key, out var item) ? item.Version : null;

    /// <summary>Values whose newest copy lies before an address.</summary>
    public IEnumerable<(string Key, long Origin, byte[] Value)> LocatedBefore(long address)
    {
        foreach (var (key, item) in _items)
        {
            if (item.Location < address)
            {
                yield return (key, item.Version, item.Value);
            }
        }
    }

    /// <summary>Keys that start with a prefix, in ordinal order, as of the call.</summary>
    public List<string> Keys(string prefix)
    {
        lock (_keys)
        {
            var view = prefix.Length == 0 ? _keys : _keys.GetViewBetween(prefix, prefix + '\uffff');
            return view.TakeWhile(key => key.StartsWith(prefix, StringComparison.Ordinal)).ToList();
        }
    }

    private sealed record Item(byte[] Value, long Version, long Location);
}
