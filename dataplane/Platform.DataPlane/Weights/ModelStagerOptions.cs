namespace Platform.DataPlane.Weights;

/// <summary>Settings of a <see cref="ModelStager"/>.</summary>
public sealed record ModelStagerOptions
{
    /// <summary>Chunks on their way at once, per model. Default: half as many as there are processors, 4 to 8; at least 1.</summary>
    /// <remarks>One processor reads and checks a chunk. On an H200's host four brought 12 GB/s from memory to the device and eight 18; from its disk of 2 GB/s four were as good as eight, and sixteen worse.</remarks>
    public int Parallelism { get; init; } = Math.Clamp(Environment.ProcessorCount / 2, 4, 8);

    /// <summary>Bytes that are copied at once from host memory to a device when a model wakes. Default 8 MiB, at least 4 KiB.</summary>
    public int WakeChunkBytes { get; init; } = 8 << 20;

    /// <summary>Largest file that is not weights, bytes. Default 256 MiB. Such files are read whole before the model is handed out.</summary>
    public int MaxSmallFileBytes { get; init; } = 256 << 20;
}
