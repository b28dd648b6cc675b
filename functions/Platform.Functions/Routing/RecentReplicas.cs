using System.Collections.Concurrent;
using Microsoft.Extensions.Options;

namespace Platform.Functions.Routing;

/// <summary>Workers that have just served a model: newer than the node table, which learns of a loaded model with the next heartbeat and the refresh after it.</summary>
internal sealed class RecentReplicas(TimeProvider time, IOptions<RouterOptions> options)
{
    private readonly ConcurrentDictionary<string, (string Worker, long At)> _served = new(StringComparer.Ordinal);

    /// <summary>Remembers that <paramref name="worker"/> has the model; only for models that are published, so there are few.</summary>
    public void Served(string model, string worker) => _served[model] = (worker, time.GetTimestamp());

    public void Forget(string model) => _served.TryRemove(model, out _);

    /// <summary>The worker that served the model last, unless that is too long ago for the table not to know better.</summary>
    public string? Find(string model) =>
        _served.TryGetValue(model, out var last) && time.GetElapsedTime(last.At) < options.Value.ReplicaMemory ? last.Worker : null;
}
