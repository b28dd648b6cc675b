using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Platform.DataPlane;
using Platform.DataPlane.ObjectStorage;

namespace Platform.UnitTests.ObjectStorage;

/// <summary>Objects in memory, with counts and with faults that a test asks for.</summary>
internal sealed class InMemoryObjectStorage : IObjectStorage
{
    private readonly ConcurrentDictionary<string, (byte[] Bytes, string ETag)> _objects = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int> _gets = new(StringComparer.Ordinal);
    private int _version;

    public string Name => "memory";

    /// <summary>Runs before every read with key and offset; may throw or wait, which the read's caller may give up.</summary>
    public Func<string, long, Task>? BeforeRead { get; set; }

    /// <summary>Runs after every read with key, offset and the bytes, which it may change.</summary>
    public Action<string, long, Memory<byte>>? AfterRead { get; set; }

    public InMemoryObjectStorage With(string key, byte[] bytes)
    {
        _objects[key] = (bytes, $"v{Interlocked.Increment(ref _version)}");
        return this;
    }

    public int GetCount(string key) => _gets.GetValueOrDefault(key);

    public int Gets => _gets.Values.Sum();

    public string ETagOf(string key) => _objects[key].ETag;

    public long LengthOf(string key) => _objects[key].Bytes.Length;

    public Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken = default) =>
        Task.FromResult(_objects.TryGetValue(key, out var item) ? new ObjectInfo(key, item.Bytes.Length, item.ETag, DateTimeOffset.UnixEpoch) : null);

    public async Task ReadAsync(string key, long offset, Memory<byte> target, string? ifMatch = null, CancellationToken cancellationToken = default)
    {
        _gets.AddOrUpdate(key, 1, (_, count) => count + 1);
        if (BeforeRead is not null)
        {
            await BeforeRead(key, offset).WaitAsync(cancellationToken);
        }

        var bytes = Get(key, ifMatch);
        if (offset + target.Length > bytes.Length)
        {
            throw new StorageException(StorageError.Truncated, $"Object '{key}' has {bytes.Length} bytes.");
        }

        bytes.AsMemory((int)offset, target.Length).CopyTo(target);
        AfterRead?.Invoke(key, offset, target);
    }

    public Task<Stream> OpenReadAsync(string key, string? ifMatch = null, CancellationToken cancellationToken = default) =>
        Task.FromResult<Stream>(new MemoryStream(Get(key, ifMatch)));

    public async Task<string> PutAsync(string key, Stream content, PutCondition condition = default, CancellationToken cancellationToken = default)
    {
        using var copy = new MemoryStream();
        await content.CopyToAsync(copy, cancellationToken);
        With(key, copy.ToArray());
        return ETagOf(key);
    }

    public Task<string> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition = default, CancellationToken cancellationToken = default)
    {
        With(key, content.ToArray());
        return Task.FromResult(ETagOf(key));
    }

    public async IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        foreach (var key in _objects.Keys.Where(key => key.StartsWith(prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            yield return (await HeadAsync(key, cancellationToken))!;
        }
    }

    public Task<bool> DeleteAsync(string key, CancellationToken cancellationToken = default) => Task.FromResult(_objects.TryRemove(key, out _));

    private byte[] Get(string key, string? ifMatch)
    {
        if (!_objects.TryGetValue(key, out var item))
        {
            throw new StorageException(StorageError.NotFound, $"There is no object '{key}'.");
        }

        return ifMatch is null || ifMatch == item.ETag ? item.Bytes : throw new StorageException(StorageError.Changed, $"Object '{key}': found {item.ETag}, expected {ifMatch}.");
    }
}
