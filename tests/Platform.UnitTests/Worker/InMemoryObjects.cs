using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Platform.DataPlane;
using Platform.DataPlane.ObjectStorage;

namespace Platform.UnitTests.Worker;

/// <summary>Object storage in memory.</summary>
internal sealed class InMemoryObjects : IObjectStorage
{
    private readonly ConcurrentDictionary<string, (byte[] Bytes, string ETag)> _objects = new();
    private int _version;

    public string Name => "memory";

    public IEnumerable<string> Keys => _objects.Keys.Order(StringComparer.Ordinal);

    public string TextOf(string key) => System.Text.Encoding.UTF8.GetString(_objects[key].Bytes);

    public void Add(string key, string text) => _objects[key] = (System.Text.Encoding.UTF8.GetBytes(text), $"e{Interlocked.Increment(ref _version)}");

    public Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken = default) =>
        Task.FromResult(_objects.TryGetValue(key, out var found) ? new ObjectInfo(key, found.Bytes.Length, found.ETag, default) : null);

    public Task ReadAsync(string key, long offset, Memory<byte> target, string? ifMatch = null, CancellationToken cancellationToken = default)
    {
        Find(key, ifMatch).AsMemory((int)offset, target.Length).CopyTo(target);
        return Task.CompletedTask;
    }

    public Task<Stream> OpenReadAsync(string key, string? ifMatch = null, CancellationToken cancellationToken = default) => Task.FromResult<Stream>(new MemoryStream(Find(key, ifMatch), false));

    public async Task<string> PutAsync(string key, Stream content, PutCondition condition = default, CancellationToken cancellationToken = default)
    {
        using var copy = new MemoryStream();
        await content.CopyToAsync(copy, cancellationToken);
        return await PutAsync(key, copy.ToArray(), condition, cancellationToken);
    }

    public Task<string> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition = default, CancellationToken cancellationToken = default)
    {
        var etag = $"e{Interlocked.Increment(ref _version)}";
        _objects[key] = (content.ToArray(), etag);
        return Task.FromResult(etag);
    }

    public async IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        foreach (var key in Keys.Where(key => key.StartsWith(prefix, StringComparison.Ordinal)).ToArray())
        {
            if (await HeadAsync(key, cancellationToken) is { } info)
            {
                yield return info;
            }
        }
    }

    public Task<bool> DeleteAsync(string key, CancellationToken cancellationToken = default) => Task.FromResult(_objects.TryRemove(key, out _));

    private byte[] Find(string key, string? ifMatch) =>
        !_objects.TryGetValue(key, out var found) ? throw new StorageException(StorageError.NotFound, $"No object '{key}'.")
        : ifMatch is not null && ifMatch != found.ETag ? throw new StorageException(StorageError.Changed, $"Object '{key}' changed.")
        : found.Bytes;
}
