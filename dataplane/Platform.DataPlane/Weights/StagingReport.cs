namespace Platform.DataPlane.Weights;

/// <summary>What it took to bring a model into memory, so far.</summary>
/// <param name="ObjectStoreBytes">Bytes really read from object storage on this model's behalf. Chunks that another load was already fetching count there.</param>
/// <param name="ObjectStoreGets">Reads of object storage.</param>
/// <param name="NvmeBytes">Bytes read from the NVMe tier.</param>
/// <param name="HostBytes">Bytes taken from an image that an earlier load left in host memory.</param>
/// <param name="DeviceBytes">Bytes of device memory that the model takes; 0 if it is staged into host memory alone.</param>
/// <param name="TotalBytes">Bytes of all files.</param>
/// <param name="LandedBytes">Bytes of all files that are where they go.</param>
/// <param name="TensorCount">Tensors of the model.</param>
/// <param name="ReadyTensors">Tensors that are where they go.</param>
/// <param name="Opened">Until the tensors were known and the small files in memory.</param>
/// <param name="FirstTensor">Until the first tensor was there; null before.</param>
/// <param name="Completed">Until all was there; null before.</param>
public sealed record StagingReport(
    long ObjectStoreBytes,
    long ObjectStoreGets,
    long NvmeBytes,
    long HostBytes,
    long DeviceBytes,
    long TotalBytes,
    long LandedBytes,
    int TensorCount,
    int ReadyTensors,
    TimeSpan Opened,
    TimeSpan? FirstTensor,
    TimeSpan? Completed);
