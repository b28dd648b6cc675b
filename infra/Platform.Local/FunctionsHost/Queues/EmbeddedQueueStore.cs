using System.Collections.Concurrent;
using Platform.DataPlane;

namespace Platform.Local.FunctionsHost.Queues;

/// <summary>The durable queues of this host: one store, any number of queues.</summary>
/// <remarks><code>
/// m/{queue}/{sequence}   the message, see EmbeddedMessage
/// d/{queue}/{sequence}   how often it was taken, 8 bytes
/// </code>
/// One process owns the store, so no lease of another process can be alive when it opens: every message is visible at once then.</remarks>
internal sealed class EmbeddedQueueStore : IAsyncDisposable
{
    private readonly ConcurrentDictionary<string, EmbeddedQueue> _queues = new(StringComparer.Ordinal);
    private readonly DurableStore _store;
    private readonly TimeProvider _time;

    private EmbeddedQueueStore(DurableStore store, TimeProvider time)
    {
        _store = store;
        _time = time;
    }

    /// <summary>Names of the queues that hold messages or were opened.</summary>
    public IReadOnlyList<string> Names => [.. _queues.Keys.Order(StringComparer.Ordinal)];

    /// <summary>Opens the store of a folder, or makes an empty one.</summary>
    /// <param name="folder">The store's own folder.</param>
    /// <param name="limitBytes">Most bytes of all messages together.</param>
    /// <param name="time">The clock of leases.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="StorageException">The folder is in use by another process, damaged, or cannot be written.</exception>
    public static async Task<EmbeddedQueueStore> OpenAsync(string folder, long limitBytes, TimeProvider time, CancellationToken cancellationToken)
    {
        var store = await DurableStore.OpenAsync(new DurableStoreOptions { Folder = folder, LimitBytes = limitBytes }, cancellationToken);
        var queues = new EmbeddedQueueStore(store, time);
        foreach (var key in store.Keys(EmbeddedQueue.MessagePrefix))
        {
            var name = key.Split('/')[1];
            queues.Open(name).Restore(key);
        }

        return queues;
    }

    /// <summary>The queue of this name.</summary>
    public EmbeddedQueue Open(string name) => _queues.GetOrAdd(name, key => new EmbeddedQueue(key, _store, _time));

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_queues.Values.Select(queue => queue.SettleAsync()));
        await _store.DisposeAsync();
    }
}
