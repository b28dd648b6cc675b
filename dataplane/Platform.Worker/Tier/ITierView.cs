namespace Platform.Worker.Tier;

/// <summary>What the heartbeat tells of the NVMe tier.</summary>
internal interface ITierView
{
    /// <summary>Bytes in the tier.</summary>
    long Bytes { get; }

    /// <summary>Its hard limit.</summary>
    long LimitBytes { get; }

    /// <summary>Bytes per model.</summary>
    IReadOnlyDictionary<string, long> BytesByModel();

    /// <summary>Bytes per object beside models, the largest first, at most <paramref name="count"/>.</summary>
    IReadOnlyDictionary<string, long> BytesByArtifact(int count);
}
