namespace Platform.DataPlane.ObjectStorage;

/// <summary>Uploads that outlive a fault and the process: begun once, sent in parts, and gone on with after whatever stopped them. What S3 calls a multipart upload.</summary>
/// <remarks>
/// Safe for any number of threads; parts of one upload may be sent in any order, each again if need be. A part is durable when its call completes. The storage shows nothing of an upload before it is completed.
/// An upload that nobody goes on with costs room: abort it. Every call for an upload, or a part, that the storage does not have (any more) fails with <see cref="StorageError.NotFound"/>: begin anew.
/// </remarks>
public interface IObjectUploads
{
    /// <summary>How large the parts of an object are, all but the last: <paramref name="preferredBytes"/>, or what the storage can take instead.</summary>
    long PartBytes(long preferredBytes, long lengthBytes);

    /// <summary>Begins an upload.</summary>
    /// <returns>Its id, to be kept by whoever wants to go on after a restart.</returns>
    Task<string> StartAsync(string key, CancellationToken cancellationToken = default);

    /// <summary>Sends a part.</summary>
    /// <param name="key">As it was begun.</param>
    /// <param name="uploadId">From <see cref="StartAsync"/>.</param>
    /// <param name="number">From 1.</param>
    /// <param name="offset">Where the part lies in the object.</param>
    /// <param name="content">Its bytes.</param>
    /// <param name="cancellationToken">Stops the sending.</param>
    /// <returns>The part's tag, which the completion wants.</returns>
    Task<string> PutPartAsync(string key, string uploadId, int number, long offset, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default);

    /// <summary>Makes the object of its parts, replacing one that is there.</summary>
    /// <param name="key">As it was begun.</param>
    /// <param name="uploadId">From <see cref="StartAsync"/>.</param>
    /// <param name="lengthBytes">Bytes of all parts together.</param>
    /// <param name="tags">The tags of all parts in order, the first that of part 1.</param>
    /// <param name="cancellationToken">Stops the waiting; the object may be there all the same.</param>
    /// <returns>The object's ETag.</returns>
    Task<string> CompleteAsync(string key, string uploadId, long lengthBytes, IReadOnlyList<string> tags, CancellationToken cancellationToken = default);

    /// <summary>Gives up an upload and its parts. One that is not there (any more) is no error.</summary>
    Task AbortAsync(string key, string uploadId, CancellationToken cancellationToken = default);
}
