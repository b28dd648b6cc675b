namespace Platform.DataPlane.Weights;

/// <summary>Settings of a <see cref="ModelStager"/>.</summary>
public sealed record ModelStagerOptions
{
    /// <summary>Chunks on their way at once, per model. Default 4, at least 1.</summary>
    public int Parallelism { get; init; } = 4;

    /// <summary>Bytes that are copied at once from host memory to a device when a model wakes. Default 8 MiB, at least 4 KiB.</summary>
    public int WakeChunkBytes { get; init; } = 8 << 20;

    /// <summary>Largest file that is not weights, bytes. Default 256 MiB. Such files are read whole before the model is handed out.</summary>
    public int MaxSmallFileBytes { get; init; } = 256 << 20;
}
