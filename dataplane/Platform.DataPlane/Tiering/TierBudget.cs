namespace Platform.DataPlane.Tiering;

/// <summary>The one byte budget of a tier: who takes what, and who goes when room is needed.</summary>
/// <remarks>
/// A newcomer may take what is free. When its class is at its ceiling, its own class makes room; otherwise every class above its floor offers the blob that its queue
/// would let go, and the cheapest to lose goes: cost of a miss x chance of reuse, seen as uses over age. Not thread-safe.
/// </remarks>
internal sealed class TierBudget
{
    private readonly Dictionary<TierClass, S3FifoQueue> _queues = Enum.GetValues<TierClass>().ToDictionary(tierClass => tierClass, _ => new S3FifoQueue());
    private readonly IReadOnlyDictionary<TierClass, ClassShare> _shares;
    private readonly long _limitBytes;

    public TierBudget(long limitBytes, IReadOnlyDictionary<TierClass, ClassShare> shares)
    {
        _limitBytes = limitBytes;
        _shares = shares;
    }

    /// <summary>Bytes of all classes.</summary>
    public long UsedBytes => _queues.Values.Sum(queue => queue.Bytes);

    /// <summary>Bytes of one class.</summary>
    public long BytesOf(TierClass tierClass) => _queues[tierClass].Bytes;

    /// <summary>Most that a class may have.</summary>
    public long CeilingOf(TierClass tierClass) => Math.Min(_limitBytes, ShareOf(tierClass).CeilingBytes);

    /// <summary>Below which other classes never push a class.</summary>
    public long FloorOf(TierClass tierClass) => ShareOf(tierClass).FloorBytes;

    public void Add(IBudgetItem item) => _queues[item.Class].Add(item);

    public void Remove(IBudgetItem item) => _queues[item.Class].Remove(item);

    public void Touch(IBudgetItem item) => _queues[item.Class].Touch(item);

    /// <summary>True if so many bytes of a class can be added as things are.</summary>
    public bool Fits(TierClass tierClass, long bytes) => UsedBytes + bytes <= _limitBytes && BytesOf(tierClass) + bytes <= CeilingOf(tierClass);

    /// <summary>False if so many bytes of a class would not fit even if everything went that may go: then nothing should go for them.</summary>
    /// <param name="newcomer">The class.</param>
    /// <param name="bytes">How many.</param>
    /// <param name="freeBytes">Bytes that are free.</param>
    public bool CouldFit(TierClass newcomer, long bytes, long freeBytes)
    {
        foreach (var (tierClass, queue) in _queues)
        {
            var mayGo = queue.BytesThatMayGo;
            if (tierClass == newcomer && queue.Bytes - mayGo + bytes > CeilingOf(newcomer))
            {
                return false;
            }

            freeBytes += tierClass == newcomer ? mayGo : Math.Clamp(queue.Bytes - FloorOf(tierClass), 0, mayGo);
        }

        return bytes <= freeBytes;
    }

    /// <summary>Who goes next to make room for so many bytes of a class; null if nobody may.</summary>
    public IBudgetItem? PickVictim(TierClass newcomer, long bytes, long now)
    {
        if (bytes > CeilingOf(newcomer))
        {
            return null;
        }

        if (BytesOf(newcomer) + bytes > CeilingOf(newcomer))
        {
            return _queues[newcomer].NextVictim(item => item.MayGo);
        }

        return Cheapest(now, (tierClass, queue, item) => item.MayGo && (tierClass == newcomer || StaysAboveFloor(tierClass, queue, item)));
    }

    /// <summary>Who goes when shares or the limit were lowered and no longer hold; null if they do, or nobody may. A floor that no longer fits gives way.</summary>
    public IBudgetItem? PickSurplus(long overBytes, long now)
    {
        foreach (var (tierClass, queue) in _queues)
        {
            if (queue.Bytes > CeilingOf(tierClass) && queue.NextVictim(item => item.MayGo) is { } victim)
            {
                return victim;
            }
        }

        return overBytes <= 0
            ? null
            : Cheapest(now, (tierClass, queue, item) => item.MayGo && StaysAboveFloor(tierClass, queue, item)) ?? Cheapest(now, (_, _, item) => item.MayGo);
    }

    /// <summary>Everything that may go, the first to go first, as far as that can be said before it is known who comes.</summary>
    public IEnumerable<IBudgetItem> VictimOrder(long now) =>
        _queues.Values
            .SelectMany(queue => queue.VictimOrder(item => item.MayGo).Index())
            .OrderBy(victim => victim.Index)
            .ThenBy(victim => ValueOf(victim.Item, now))
            .Select(victim => victim.Item);

    private bool StaysAboveFloor(TierClass tierClass, S3FifoQueue queue, IBudgetItem item) => queue.Bytes - item.AllocatedBytes >= FloorOf(tierClass);

    /// <summary>Of what each class would let go, what is cheapest to lose.</summary>
    private IBudgetItem? Cheapest(long now, Func<TierClass, S3FifoQueue, IBudgetItem, bool> mayGo) =>
        _queues
            .Select(each => each.Value.NextVictim(item => mayGo(each.Key, each.Value, item)))
            .OfType<IBudgetItem>()
            .MinBy(victim => ValueOf(victim, now));

    private double ValueOf(IBudgetItem item, long now) =>
        MissCost(item.Class) * (1.0 + _queues[item.Class].UsesOf(item)) / (1.0 + Math.Max(0, now - item.LastUsed));

    /// <summary>What a byte that is missed costs, relative to a byte of training data, which is fetched ahead of its use: nobody waits for it.</summary>
    private static double MissCost(TierClass tierClass) => tierClass switch
    {
        TierClass.Weights => 4,
        TierClass.Context => 3,
        TierClass.Checkpoints => 2,
        _ => 1,
    };

    private ClassShare ShareOf(TierClass tierClass) => _shares.GetValueOrDefault(tierClass) ?? new ClassShare();
}
