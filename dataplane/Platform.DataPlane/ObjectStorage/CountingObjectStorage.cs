namespace Platform.DataPlane.ObjectStorage;

/// <summary>Counts what goes through to another storage, for one scope (a model's staging, a job) and for the process.</summary>
/// <param name="inner">Does the work.</param>
/// <param name="scope">Counts for the scope; <see cref="ObjectStorageCounters.Process"/> counts too, once, however many scopes are nested.</param>
public sealed class CountingObjectStorage(IObjectStorage inner, ObjectStorageCounters scope) : IObjectStorage
{
    /// <summary>The scope's counters.</summary>
    public ObjectStorageCounters Counters => scope;

    /// <inheritdoc/>
    public string Name => inner.Name;

    /// <inheritdoc/>
    public IObjectUploads? Uploads { get; } = inner.Uploads is { } uploads ? new CountingUploads(uploads, bytes => Count(scope, inner, counters => counters.AddPart(bytes)), () => Count(scope, inner, counters => counters.AddPut(0))) : null;

    /// <inheritdoc/>
    public Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken = default) => inner.HeadAsync(key, cancellationToken);

    /// <inheritdoc/>
    public async Task ReadAsync(string key, long offset, Memory<byte> target, string? ifMatch = null, CancellationToken cancellationToken = default)
    {
        Count(counters => counters.AddGet());
        await inner.ReadAsync(key, offset, target, ifMatch, cancellationToken);
        Count(counters => counters.AddRead(target.Length));
    }

    /// <inheritdoc/>
    public async Task<Stream> OpenReadAsync(string key, string? ifMatch = null, CancellationToken cancellationToken = default)
    {
        var stream = await inner.OpenReadAsync(key, ifMatch, cancellationToken);
        Count(counters => counters.AddGet());
        return new CountingStream(stream, bytes => Count(counters => counters.AddRead(bytes)));
    }

    /// <inheritdoc/>
    public async Task<string> PutAsync(string key, Stream content, PutCondition condition = default, CancellationToken cancellationToken = default)
    {
        var bytes = 0L;
        await using var counting = new CountingStream(content, count => bytes += count, leaveOpen: true);
        var etag = await inner.PutAsync(key, counting, condition, cancellationToken);
        Count(counters => counters.AddPut(bytes));
        return etag;
    }

    /// <inheritdoc/>
    public async Task<string> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition = default, CancellationToken cancellationToken = default)
    {
        var etag = await inner.PutAsync(key, content, condition, cancellationToken);
        Count(counters => counters.AddPut(content.Length));
        return etag;
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancellationToken = default) => inner.ListAsync(prefix, cancellationToken);

    /// <inheritdoc/>
    public Task<bool> DeleteAsync(string key, CancellationToken cancellationToken = default) => inner.DeleteAsync(key, cancellationToken);

    private void Count(Action<ObjectStorageCounters> count) => Count(scope, inner, count);

    /// <summary>Counts for the scope, and once for the process: the innermost does that.</summary>
    private static void Count(ObjectStorageCounters scope, IObjectStorage inner, Action<ObjectStorageCounters> count)
    {
        count(scope);
        if (inner is not CountingObjectStorage && scope != ObjectStorageCounters.Process)
        {
            count(ObjectStorageCounters.Process);
        }
    }
}
