using Platform.DataPlane.Tiering;

namespace Platform.Benchmarks.Tier.Eviction;

/// <summary>Runs a trace through the tier's budget, and through LRU, and counts the bytes that each has to fetch.</summary>
internal static class EvictionReplay
{
    /// <summary>Bytes missed by the budget as the tier uses it.</summary>
    public static long MissedBytes(EvictionTrace trace, long capacityBytes)
    {
        var budget = new TierBudget(capacityBytes, new Dictionary<TierClass, ClassShare>());
        var here = new Dictionary<int, Item>();
        var missed = 0L;
        for (var now = 0; now < trace.Accesses.Length; now++)
        {
            var blob = trace.Accesses[now];
            if (here.TryGetValue(blob, out var item))
            {
                item.LastUsed = now;
                budget.Touch(item);
                continue;
            }

            var size = trace.SizeBytes[blob];
            missed += size;
            while (!budget.Fits(TierClass.Weights, size) && budget.PickVictim(TierClass.Weights, size, now) is Item victim)
            {
                budget.Remove(victim);
                here.Remove(victim.Number);
            }

            item = new Item(blob, size) { LastUsed = now };
            here.Add(blob, item);
            budget.Add(item);
        }

        return missed;
    }

    /// <summary>Bytes missed by LRU.</summary>
    public static long MissedBytesOfLru(EvictionTrace trace, long capacityBytes)
    {
        var order = new LinkedList<int>();
        var here = new Dictionary<int, LinkedListNode<int>>();
        var (missed, used) = (0L, 0L);
        foreach (var blob in trace.Accesses)
        {
            if (here.Remove(blob, out var node))
            {
                order.Remove(node);
            }
            else
            {
                missed += trace.SizeBytes[blob];
                used += trace.SizeBytes[blob];
                while (used > capacityBytes)
                {
                    used -= trace.SizeBytes[order.First!.Value];
                    here.Remove(order.First.Value);
                    order.RemoveFirst();
                }
            }

            here.Add(blob, order.AddLast(blob));
        }

        return missed;
    }

    private sealed class Item(int number, long bytes) : IBudgetItem
    {
        public int Number => number;

        public string Key { get; } = $"blob-{number}";

        public TierClass Class => TierClass.Weights;

        public long AllocatedBytes => bytes;

        public bool MayGo => true;

        public long LastUsed { get; set; }
    }
}
