namespace Platform.DataPlane.Weights;

/// <summary>What it took to bring a model into memory, so far.</summary>
/// <param name="ObjectStoreBytes">Bytes really read from object storage on this model's behalf. Chunks that another load was already fetching count there.</param>
/// <param name="ObjectStoreGets">Reads of object storage.</param>
/// <param name="NvmeBytes">Bytes read from the NVMe tier.</param>
/// <param name="TotalBytes">Bytes of all files.</param>
/// <param name="LandedBytes">Bytes of all files that are in memory.</param>
/// <param name="TensorCount">Tensors of the model.</param>
/// <param name="ReadyTensors">Tensors that are in memory.</param>
/// <param name="Opened">Until the tensors were known and the small files in memory.</param>
/// <param name="FirstTensor">Until the first tensor was in memory; null before.</param>
/// <param name="Completed">Until all was in memory; null before.</param>
public sealed record StagingReport(
    long ObjectStoreBytes,
    long ObjectStoreGets,
    long NvmeBytes,
    long TotalBytes,
    long LandedBytes,
    int TensorCount,
    int ReadyTensors,
    TimeSpan Opened,
    TimeSpan? FirstTensor,
    TimeSpan? Completed);
