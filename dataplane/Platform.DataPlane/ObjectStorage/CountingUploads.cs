namespace Platform.DataPlane.ObjectStorage;

/// <summary>Passes uploads on and counts their parts.</summary>
internal sealed class CountingUploads(IObjectUploads inner, Action<long> sent, Action completed) : IObjectUploads
{
    public long PartBytes(long preferredBytes, long lengthBytes) => inner.PartBytes(preferredBytes, lengthBytes);

    public Task<string> StartAsync(string key, CancellationToken cancellationToken = default) => inner.StartAsync(key, cancellationToken);

    public async Task<string> PutPartAsync(string key, string uploadId, int number, long offset, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default)
    {
        var tag = await inner.PutPartAsync(key, uploadId, number, offset, content, cancellationToken);
        sent(content.Length);
        return tag;
    }

    public async Task<string> CompleteAsync(string key, string uploadId, long lengthBytes, IReadOnlyList<string> tags, CancellationToken cancellationToken = default)
    {
        var etag = await inner.CompleteAsync(key, uploadId, lengthBytes, tags, cancellationToken);
        completed();
        return etag;
    }

    public Task AbortAsync(string key, string uploadId, CancellationToken cancellationToken = default) => inner.AbortAsync(key, uploadId, cancellationToken);
}
