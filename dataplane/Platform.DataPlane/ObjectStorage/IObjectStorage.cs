namespace Platform.DataPlane.ObjectStorage;

/// <summary>Objects by key, written whole and read in ranges: what S3 offers, and no more than that.</summary>
/// <remarks>
/// Safe for any number of threads. Keys obey <see cref="ObjectKey.Rule"/>. A write is seen whole or not at all, and is durable when it completes.
/// Every failure is a <see cref="StorageException"/> that names the key.
/// </remarks>
public interface IObjectStorage
{
    /// <summary>What the storage is, for messages: a path or a URL.</summary>
    string Name { get; }

    /// <summary>Uploads in parts that can be gone on with; null if objects are only taken whole.</summary>
    IObjectUploads? Uploads => null;

    /// <summary>Describes an object.</summary>
    /// <returns>Null if there is none.</returns>
    Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken = default);

    /// <summary>Reads exactly <paramref name="target"/>'s length from <paramref name="offset"/>.</summary>
    /// <param name="key">The object.</param>
    /// <param name="offset">First byte, at least 0.</param>
    /// <param name="target">Filled whole.</param>
    /// <param name="ifMatch">The ETag that the object must have; null for any.</param>
    /// <param name="cancellationToken">Stops the reading; <paramref name="target"/>'s content is then undefined.</param>
    /// <exception cref="StorageException"><see cref="StorageError.NotFound"/>; <see cref="StorageError.Changed"/>: another ETag; <see cref="StorageError.Truncated"/>: the object ends before the range does.</exception>
    Task ReadAsync(string key, long offset, Memory<byte> target, string? ifMatch = null, CancellationToken cancellationToken = default);

    /// <summary>Opens the whole object for reading from front to back.</summary>
    /// <exception cref="StorageException"><see cref="StorageError.NotFound"/> or <see cref="StorageError.Changed"/>.</exception>
    Task<Stream> OpenReadAsync(string key, string? ifMatch = null, CancellationToken cancellationToken = default);

    /// <summary>Writes an object, replacing one that is there unless a condition forbids it.</summary>
    /// <returns>The new ETag.</returns>
    /// <exception cref="StorageException"><see cref="StorageError.Changed"/>: the condition does not hold; <see cref="StorageError.Full"/>.</exception>
    Task<string> PutAsync(string key, Stream content, PutCondition condition = default, CancellationToken cancellationToken = default);

    /// <summary>As the overload that takes a stream.</summary>
    Task<string> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition = default, CancellationToken cancellationToken = default);

    /// <summary>Objects whose key starts with <paramref name="prefix"/>, in ordinal order of keys. Objects written or deleted meanwhile may or may not be among them.</summary>
    /// <param name="prefix">Any text; empty for all.</param>
    /// <param name="cancellationToken">Stops the listing.</param>
    IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancellationToken = default);

    /// <summary>Deletes an object; true if there was one. (S3 cannot tell, and says true.)</summary>
    Task<bool> DeleteAsync(string key, CancellationToken cancellationToken = default);
}
