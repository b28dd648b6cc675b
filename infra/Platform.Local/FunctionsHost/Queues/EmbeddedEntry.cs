namespace Platform.Local.FunctionsHost.Queues;

/// <summary>What taking a message needs to know of it; its text lies in the store.</summary>
internal sealed class EmbeddedEntry
{
    public static readonly IComparer<EmbeddedEntry> Order = Comparer<EmbeddedEntry>.Create((a, b) => (a.VisibleAt, a.Sequence).CompareTo((b.VisibleAt, b.Sequence)));

    public required Guid Id { get; init; }

    public required long Sequence { get; init; }

    public required DateTimeOffset VisibleAt { get; set; }

    /// <summary>The message, while it is on its way to the store; null once it can be read there.</summary>
    public byte[]? Unwritten { get; set; }

    public long DequeueCount { get; set; }

    /// <summary>The count as it is written; 0 if none is.</summary>
    public long SavedCount { get; set; }

    public string PopReceipt { get; private set; } = "";

    /// <summary>Call only while the entry is out of the sorted set.</summary>
    public void Renew(DateTimeOffset visibleAt)
    {
        VisibleAt = visibleAt;
        PopReceipt = Guid.NewGuid().ToString("n");
    }
}
