using Platform.DataPlane.Tiering;

namespace Platform.UnitTests.Tiering;

/// <summary>Misses of S3-FIFO beside LRU on the traces that a tier sees. Counts, so they are the same on every machine.</summary>
public sealed class S3FifoQueueTests
{
    [Theory]
    [InlineData("zipf", 5)]
    [InlineData("zipf", 10)]
    [InlineData("zipf", 30)]
    [InlineData("scan", 5)]
    [InlineData("scan", 10)]
    [InlineData("scan", 30)]
    [InlineData("model-switch", 5)]
    [InlineData("model-switch", 10)]
    [InlineData("model-switch", 30)]
    public void NextVictim_OnATrace_MissesNoMoreBytesThanLru(string trace, int capacityPercent)
    {
        var accesses = Trace(trace);
        var capacity = 1000L * capacityPercent / 100;

        var ours = Misses(accesses, capacity);
        var lru = LruMisses(accesses, capacity);

        Assert.InRange(ours / (double)lru, 0, 1.0);
    }

    [Fact]
    public void NextVictim_NobodyMayGo_IsNull()
    {
        var queue = new S3FifoQueue();
        for (var i = 0; i < 20; i++)
        {
            var item = new Item($"{i}");
            queue.Add(item);
            queue.Touch(item);
            queue.Touch(item);
        }

        Assert.Null(queue.NextVictim(_ => false));
        Assert.NotNull(queue.NextVictim(_ => true));
        Assert.Equal(20, queue.VictimOrder(_ => true).Count());
        Assert.Equal(20, queue.Bytes);
    }

    private static List<int> Trace(string name)
    {
        var random = new Random(5);
        var accesses = new List<int>();
        switch (name)
        {
            case "zipf":
                var weights = Enumerable.Range(1, 1000).Select(rank => 1 / Math.Pow(rank, 0.9)).ToArray();
                var sums = weights.Select((_, i) => weights.Take(i + 1).Sum()).ToArray();
                for (var i = 0; i < 30_000; i++)
                {
                    var at = Array.BinarySearch(sums, random.NextDouble() * sums[^1]);
                    accesses.Add(Math.Min(999, at < 0 ? ~at : at));
                }

                break;
            case "scan":
                // A hot set, and every now and then somebody reads everything once.
                for (var round = 0; round < 12; round++)
                {
                    accesses.AddRange(Enumerable.Range(0, 1500).Select(_ => random.Next(25)));
                    accesses.AddRange(Enumerable.Range(100, 900));
                }

                break;
            default:
                // Ten models of a hundred chunks; each is read whole, the popular ones more often.
                for (var load = 0; load < 400; load++)
                {
                    var model = Math.Min(9, (int)(-Math.Log(1 - random.NextDouble()) * 1.6));
                    accesses.AddRange(Enumerable.Range(model * 100, 100));
                }

                break;
        }

        return accesses;
    }

    private static int Misses(List<int> accesses, long capacity)
    {
        var queue = new S3FifoQueue();
        var here = new Dictionary<int, Item>();
        var misses = 0;
        foreach (var access in accesses)
        {
            if (here.TryGetValue(access, out var item))
            {
                queue.Touch(item);
                continue;
            }

            misses++;
            while (queue.Bytes >= capacity)
            {
                var victim = queue.NextVictim(_ => true)!;
                queue.Remove(victim);
                here.Remove(int.Parse(victim.Key));
            }

            item = new Item($"{access}");
            here.Add(access, item);
            queue.Add(item);
        }

        return misses;
    }

    private static int LruMisses(List<int> accesses, long capacity)
    {
        var order = new LinkedList<int>();
        var nodes = new Dictionary<int, LinkedListNode<int>>();
        var misses = 0;
        foreach (var access in accesses)
        {
            if (nodes.Remove(access, out var node))
            {
                order.Remove(node);
            }
            else
            {
                misses++;
                if (nodes.Count >= capacity)
                {
                    nodes.Remove(order.First!.Value);
                    order.RemoveFirst();
                }
            }

            nodes.Add(access, order.AddLast(access));
        }

        return misses;
    }

    internal sealed class Item(string key) : IBudgetItem
    {
        public string Key => key;

        public TierClass Class { get; init; }

        public long AllocatedBytes { get; init; } = 1;

        public bool MayGo { get; set; } = true;

        public long LastUsed { get; set; }
    }
}
