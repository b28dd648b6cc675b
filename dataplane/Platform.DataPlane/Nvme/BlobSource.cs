using Platform.DataPlane.ObjectStorage;
using Platform.DataPlane.Tiering;

namespace Platform.DataPlane.Nvme;

/// <summary>Where a blob's bytes come from when they are not in the tier.</summary>
/// <param name="Key">The blob's key in the tier; <see cref="ObjectStorage.ObjectKey.Rule"/>.</param>
/// <param name="Storage">Reads the object. A <see cref="CountingObjectStorage"/> tells what this caller really fetched.</param>
/// <param name="ObjectKey">The object's key in storage.</param>
/// <param name="LengthBytes">The object's length.</param>
/// <param name="ETag">The object's ETag. A blob with another one is another version: it is replaced.</param>
public sealed record BlobSource(string Key, IObjectStorage Storage, string ObjectKey, long LengthBytes, string ETag)
{
    /// <summary>What the blob is for: decides which share of the budget it counts against. Only the first to open a blob has a say.</summary>
    public TierClass Class { get; init; } = TierClass.Weights;
}
