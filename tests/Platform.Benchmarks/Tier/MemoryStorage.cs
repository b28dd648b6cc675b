using Platform.DataPlane;
using Platform.DataPlane.ObjectStorage;

namespace Platform.Benchmarks.Tier;

/// <summary>One object in memory, served at the speed of a copy: object storage that is never what is waited for.</summary>
internal sealed class MemoryStorage(byte[] pattern, long lengthBytes, TimeSpan delay = default) : IObjectStorage
{
    private long _gets;

    public string Name => "memory";

    public long Gets => Interlocked.Read(ref _gets);

    public Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken = default) =>
        Task.FromResult<ObjectInfo?>(new ObjectInfo(key, lengthBytes, "v1", DateTimeOffset.UnixEpoch));

    public async Task ReadAsync(string key, long offset, Memory<byte> target, string? ifMatch = null, CancellationToken cancellationToken = default)
    {
        Interlocked.Increment(ref _gets);
        if (delay > TimeSpan.Zero)
        {
            await Task.Delay(delay, cancellationToken);
        }

        while (!target.IsEmpty)
        {
            var from = (int)(offset % pattern.Length);
            var count = Math.Min(target.Length, pattern.Length - from);
            pattern.AsSpan(from, count).CopyTo(target.Span);
            target = target[count..];
            offset += count;
        }
    }

    public Task<Stream> OpenReadAsync(string key, string? ifMatch = null, CancellationToken cancellationToken = default) => throw ReadOnly();

    public Task<string> PutAsync(string key, Stream content, PutCondition condition = default, CancellationToken cancellationToken = default) => throw ReadOnly();

    public Task<string> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition = default, CancellationToken cancellationToken = default) => throw ReadOnly();

    public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancellationToken = default) => throw ReadOnly();

    public Task<bool> DeleteAsync(string key, CancellationToken cancellationToken = default) => throw ReadOnly();

    private static StorageException ReadOnly() => new(StorageError.Unavailable, "The benchmark's storage only serves ranges.");
}
