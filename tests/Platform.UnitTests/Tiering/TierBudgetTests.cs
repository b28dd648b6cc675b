using FsCheck;
using FsCheck.Fluent;
using Platform.DataPlane.Tiering;

namespace Platform.UnitTests.Tiering;

public sealed class TierBudgetTests
{
    private const long Limit = 1000;

    [Fact]
    public void PickVictim_AnyHistory_KeepsLimitCeilingsFloorsAndLeases()
    {
        var step =
            from tierClass in Gen.Choose(0, 3)
            from bytes in Gen.Choose(1, 400)
            from action in Gen.Choose(0, 9)
            select (Class: tierClass, Bytes: bytes, Action: action);

        Prop.ForAll(step.ArrayOf().ToArbitrary(), Run).Check(Properties.Config);
    }

    [Fact]
    public void PickVictim_ClassAtItsCeiling_MakesRoomFromItself()
    {
        var budget = new TierBudget(Limit, new Dictionary<TierClass, ClassShare> { [TierClass.Shards] = new(0, 100) });
        var shard = new S3FifoQueueTests.Item("shard") { Class = TierClass.Shards, AllocatedBytes = 100 };
        budget.Add(new S3FifoQueueTests.Item("weights") { AllocatedBytes = 10 });
        budget.Add(shard);

        Assert.False(budget.Fits(TierClass.Shards, 50));
        Assert.Same(shard, budget.PickVictim(TierClass.Shards, 50, 10));
        Assert.Null(budget.PickVictim(TierClass.Shards, 101, 10));
    }

    [Fact]
    public void PickVictim_BetweenClasses_TheCheapestToLoseGoes()
    {
        var budget = new TierBudget(Limit, new Dictionary<TierClass, ClassShare>());
        var shard = new S3FifoQueueTests.Item("shard") { Class = TierClass.Shards, AllocatedBytes = 500, LastUsed = 5 };
        budget.Add(new S3FifoQueueTests.Item("weights") { AllocatedBytes = 500, LastUsed = 5 });
        budget.Add(shard);

        Assert.Same(shard, budget.PickVictim(TierClass.Weights, 10, 10));
    }

    /// <summary>Admits, leases and releases as the tier does, and looks at every promise after each step.</summary>
    private static bool Run((int Class, int Bytes, int Action)[] history)
    {
        var shares = new Dictionary<TierClass, ClassShare>
        {
            [TierClass.Weights] = new(300, 900),
            [TierClass.Shards] = new(0, 400),
            [TierClass.Checkpoints] = new(100, 600),
        };
        var budget = new TierBudget(Limit, shares);
        var here = new List<S3FifoQueueTests.Item>();
        var clock = 0L;
        foreach (var (classNumber, bytes, action) in history)
        {
            var tierClass = (TierClass)classNumber;
            if (action < 3 && here.Count > 0)
            {
                var item = here[bytes % here.Count];
                item.MayGo = !item.MayGo;
                item.LastUsed = ++clock;
                budget.Touch(item);
                continue;
            }

            while (!budget.Fits(tierClass, bytes) && budget.PickVictim(tierClass, bytes, clock) is S3FifoQueueTests.Item victim)
            {
                var before = budget.BytesOf(victim.Class);
                budget.Remove(victim);
                here.Remove(victim);
                var floor = shares.GetValueOrDefault(victim.Class)?.FloorBytes ?? 0;
                if (!victim.MayGo || (victim.Class != tierClass && budget.BytesOf(victim.Class) < floor) || budget.BytesOf(victim.Class) != before - victim.AllocatedBytes)
                {
                    return false;
                }
            }

            if (budget.Fits(tierClass, bytes))
            {
                var item = new S3FifoQueueTests.Item($"{here.Count}-{clock}-{bytes}") { Class = tierClass, AllocatedBytes = bytes, LastUsed = ++clock };
                budget.Add(item);
                here.Add(item);
            }

            if (budget.UsedBytes > Limit
                || budget.UsedBytes != here.Sum(item => item.AllocatedBytes)
                || shares.Any(share => budget.BytesOf(share.Key) > share.Value.CeilingBytes))
            {
                return false;
            }
        }

        return true;
    }
}
