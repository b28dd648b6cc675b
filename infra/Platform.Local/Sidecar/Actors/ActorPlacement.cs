namespace Platform.Local.Sidecar.Actors;

/// <summary>Which live app hosts which actor. Several apps may host a type: each actor has its place by highest random weight, so that few move when an app comes or goes.</summary>
internal sealed class ActorPlacement
{
    private readonly Lock _gate = new();
    private Dictionary<string, ActorHostApp[]> _hosts = new(StringComparer.Ordinal);
    private TaskCompletionSource _changed = NewSignal();

    /// <summary>Completes at the next change.</summary>
    public Task Changed => Volatile.Read(ref _changed).Task;

    /// <summary>Runs after every change.</summary>
    public event EventHandler? AfterChange;

    public void Add(ActorHostApp host) => Change(hosts =>
    {
        foreach (var type in host.Types)
        {
            hosts[type] = [.. hosts.GetValueOrDefault(type, []), host];
        }
    });

    public void Remove(ActorHostApp host)
    {
        host.IsAlive = false;
        Change(hosts =>
        {
            foreach (var type in host.Types)
            {
                hosts[type] = [.. hosts.GetValueOrDefault(type, []).Where(other => other != host)];
            }
        });
    }

    /// <summary>True if a live app hosts the type.</summary>
    public bool Hosts(string type) => Volatile.Read(ref _hosts).GetValueOrDefault(type, []).Length > 0;

    /// <summary>The host of an actor; null if no live app hosts its type.</summary>
    public ActorHostApp? Find(ActorKey key)
    {
        var hosts = Volatile.Read(ref _hosts).GetValueOrDefault(key.Type, []);
        return hosts.Length switch
        {
            0 => null,
            1 => hosts[0],
            _ => hosts.MaxBy(host => Weight(host.App.AppId, key)),
        };
    }

    /// <summary>FNV-1a with a final mix: stable over restarts, unlike the runtime's own string hash.</summary>
    private static ulong Weight(string appId, ActorKey key)
    {
        var hash = 14695981039346656037UL;
        foreach (var c in $"{appId}/{key.Type}/{key.Id}")
        {
            hash = (hash ^ c) * 1099511628211UL;
        }

        hash ^= hash >> 33;
        hash *= 0xff51afd7ed558ccdUL;
        return hash ^ (hash >> 33);
    }

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Change(Action<Dictionary<string, ActorHostApp[]>> change)
    {
        TaskCompletionSource signal;
        lock (_gate)
        {
            var next = new Dictionary<string, ActorHostApp[]>(_hosts, StringComparer.Ordinal);
            change(next);
            Volatile.Write(ref _hosts, next);
            signal = _changed;
            _changed = NewSignal();
        }

        signal.SetResult();
        AfterChange?.Invoke(this, EventArgs.Empty);
    }
}
