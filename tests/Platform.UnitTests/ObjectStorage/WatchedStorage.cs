using Platform.DataPlane.ObjectStorage;

namespace Platform.UnitTests.ObjectStorage;

/// <summary>A directory whose uploads in parts a test looks at, holds up and breaks.</summary>
internal sealed class WatchedStorage(string root) : IObjectStorage
{
    private readonly DirectoryObjectStorage _inner = new(root);

    public string Name => _inner.Name;

    public WatchedUploads Watched => field ??= new WatchedUploads(_inner.Uploads!);

    public IObjectUploads? Uploads => Watched;

    /// <summary>Uploads that were begun and neither completed nor aborted.</summary>
    public int OpenUploads() => Files().Length;

    /// <summary>Loses all uploads.</summary>
    public void DropUploads() => Array.ForEach(Files(), File.Delete);

    public Task<ObjectInfo?> HeadAsync(string key, CancellationToken cancellationToken = default) => _inner.HeadAsync(key, cancellationToken);

    public Task ReadAsync(string key, long offset, Memory<byte> target, string? ifMatch = null, CancellationToken cancellationToken = default) => _inner.ReadAsync(key, offset, target, ifMatch, cancellationToken);

    public Task<Stream> OpenReadAsync(string key, string? ifMatch = null, CancellationToken cancellationToken = default) => _inner.OpenReadAsync(key, ifMatch, cancellationToken);

    public Task<string> PutAsync(string key, Stream content, PutCondition condition = default, CancellationToken cancellationToken = default) => _inner.PutAsync(key, content, condition, cancellationToken);

    public Task<string> PutAsync(string key, ReadOnlyMemory<byte> content, PutCondition condition = default, CancellationToken cancellationToken = default) => _inner.PutAsync(key, content, condition, cancellationToken);

    public IAsyncEnumerable<ObjectInfo> ListAsync(string prefix, CancellationToken cancellationToken = default) => _inner.ListAsync(prefix, cancellationToken);

    public Task<bool> DeleteAsync(string key, CancellationToken cancellationToken = default) => _inner.DeleteAsync(key, cancellationToken);

    private string[] Files() => Directory.GetFiles(Path.Combine(root, ".uploads~"));
}

/// <summary>Notes which parts are sent.</summary>
internal sealed class WatchedUploads(IObjectUploads inner) : IObjectUploads
{
    /// <summary>Numbers of parts in the order in which they were to be sent.</summary>
    public List<int> Attempts { get; } = [];

    /// <summary>Runs before a part is sent, with its number and how often it was to be sent; may throw or wait.</summary>
    public Func<int, int, Task>? BeforePart { get; set; }

    /// <summary>Runs before an upload is aborted; may throw.</summary>
    public Action? BeforeAbort { get; set; }

    /// <summary>Of the call that <see cref="BeforePart"/> runs for.</summary>
    public CancellationToken PartToken { get; private set; }

    /// <summary>Completes with the first abort.</summary>
    public TaskCompletionSource Aborted { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public long PartBytes(long preferredBytes, long lengthBytes) => inner.PartBytes(preferredBytes, lengthBytes);

    public Task<string> StartAsync(string key, CancellationToken cancellationToken = default) => inner.StartAsync(key, cancellationToken);

    public async Task<string> PutPartAsync(string key, string uploadId, int number, long offset, ReadOnlyMemory<byte> content, CancellationToken cancellationToken = default)
    {
        Attempts.Add(number);
        PartToken = cancellationToken;
        if (BeforePart is not null)
        {
            await BeforePart(number, Attempts.Count(attempt => attempt == number));
        }

        return await inner.PutPartAsync(key, uploadId, number, offset, content, cancellationToken);
    }

    public Task<string> CompleteAsync(string key, string uploadId, long lengthBytes, IReadOnlyList<string> tags, CancellationToken cancellationToken = default) => inner.CompleteAsync(key, uploadId, lengthBytes, tags, cancellationToken);

    public async Task AbortAsync(string key, string uploadId, CancellationToken cancellationToken = default)
    {
        BeforeAbort?.Invoke();
        await inner.AbortAsync(key, uploadId, cancellationToken);
        Aborted.TrySetResult();
    }
}
