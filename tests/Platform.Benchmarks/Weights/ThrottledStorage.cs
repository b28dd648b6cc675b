using System.Diagnostics;
using Platform.DataPlane.ObjectStorage;

namespace Platform.Benchmarks.Weights;

/// <summary>Object storage behind a line of a set speed: reads wait until their bytes would have come through it.</summary>
internal sealed class ThrottledStorage(IObjectStorage inner, double bytesPerSecond) : IObjectStorage
{
    private readonly Lock _gate = new();
    private long _freeAt;

    public string Name => inner.Name;

    public Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken = default) => inner.HeadAsync(key, cancellationToken);

    public async Task ReadAsync(string key, long offset, Memory<byte> target, string? ifMatch = null, CancellationToken cancellationToken = default)
    {
        long due;
        lock (_gate)
        {
            _freeAt = Math.Max(_freeAt, Stopwatch.GetTimestamp()) + (long)(target.Length / bytesPerSecond * Stopwatch.Frequency);
            due = _freeAt;
        }

        await inner.ReadAsync(key, offset, target, ifMatch, cancellationToken);
        var left = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), due);
        if (left > TimeSpan.Zero)
        {
            await Task.Delay(left, cancellationToken);
        }
    }

    public Task<Stream> OpenReadAsync(string key, string? ifMatch = null, CancellationToken cancellationToken = default) => inner.OpenReadAsync(key, ifMatch, cancellationToken);

    public Task<string> PutAsync(string key, Stream content, PutCondition condition = default, CancellationToken cancellationToken = default) => inner.PutAsync(key, content, condition, cancellationToken);

    public Task<string> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition = default, CancellationToken cancellationToken = default) => inner.PutAsync(key, content, condition, cancellationToken);

    public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancellationToken = default) => inner.ListAsync(prefix, cancellationToken);

    public Task<bool> DeleteAsync(string key, CancellationToken cancellationToken = default) => inner.DeleteAsync(key, cancellationToken);
}
