namespace Platform.DataPlane.ObjectStorage;

/// <summary>An object as storage describes it.</summary>
/// <param name="Key">Its key.</param>
/// <param name="LengthBytes">Its length.</param>
/// <param name="ETag">Changes whenever the object is written anew; opaque, without quotes.</param>
/// <param name="LastModified">When it was written, UTC.</param>
public sealed record ObjectInfo(string Key, long LengthBytes, string ETag, DateTimeOffset LastModified)
{
    /// <summary>Checksum of the whole object; null if the storage keeps none that can be checked here.</summary>
    public ObjectChecksum? Checksum { get; init; }
}
