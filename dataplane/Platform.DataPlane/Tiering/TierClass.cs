namespace Platform.DataPlane.Tiering;

/// <summary>What a blob is for. Classes share one byte budget, each with a floor and a ceiling of its own.</summary>
public enum TierClass
{
    /// <summary>Model files. A miss delays a cold start.</summary>
    Weights,

    /// <summary>Training data. Mostly read once per epoch, ahead of time.</summary>
    Shards,

    /// <summary>Checkpoints. Written here first, then copied to object storage.</summary>
    Checkpoints,

    /// <summary>Computed context (KV blocks). A miss costs the computation again.</summary>
    Context,
}
