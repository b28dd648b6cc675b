namespace Platform.DataPlane.Weights;

/// <summary>What a load would have to move, and how long that takes at the speeds seen so far.</summary>
/// <param name="ObjectStoreBytes">Bytes that are not in the tier.</param>
/// <param name="NvmeBytes">Bytes that are.</param>
/// <param name="MemoryBytes">Bytes that are in host memory already, because the model is staged at present or sleeps there.</param>
/// <param name="Duration">Expected time until all is in memory; null before the first load has shown the speeds.</param>
public sealed record StagingEstimate(long ObjectStoreBytes, long NvmeBytes, long MemoryBytes, TimeSpan? Duration);
