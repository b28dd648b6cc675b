namespace Platform.Local.Sidecar.Actors;

/// <summary>An actor that has or had a turn: its lock, where it is active, its timers.</summary>
internal sealed class ActorInstance(ActorKey key)
{
    private readonly Dictionary<string, ActorTimer> _timers = new(StringComparer.Ordinal);

    public ActorKey Key => key;

    public TurnLock Lock { get; } = new();

    /// <summary>The life of the app in which the actor is active; null if nowhere.</summary>
    public ActorHostApp? Host { get; private set; }

    /// <summary>When the last turn ended, as a timestamp.</summary>
    public long LastUsed { get; set; }

    /// <summary>True once it is out of the table: whoever got its lock looks the actor up again.</summary>
    public bool IsRemoved { get; set; }

    /// <summary>True if the actor is active in this life of this app.</summary>
    public bool IsActiveIn(ActorHostApp? host) => host is { IsAlive: true } && ReferenceEquals(Host, host);

    /// <summary>Makes the actor active in a host, or nowhere; timers belong to the activation and end with it. Under the turn lock.</summary>
    public void MoveTo(ActorHostApp? host)
    {
        if (!ReferenceEquals(Host, host))
        {
            Host = host;
            lock (_timers)
            {
                foreach (var timer in _timers.Values)
                {
                    timer.Dispose();
                }

                _timers.Clear();
            }
        }
    }

    /// <summary>Adds a timer, in place of one of its name; false if the actor is not active there any more.</summary>
    public bool SetTimer(ActorTimer timer, ActorHostApp host)
    {
        lock (_timers)
        {
            if (!ReferenceEquals(Host, host))
            {
                return false;
            }

            if (_timers.Remove(timer.Name, out var old))
            {
                old.Dispose();
            }

            _timers.Add(timer.Name, timer);
            return true;
        }
    }

    /// <summary>Stops a timer; with <paramref name="only"/>, unless it was replaced since.</summary>
    public void RemoveTimer(string name, ActorTimer? only = null)
    {
        lock (_timers)
        {
            if (_timers.TryGetValue(name, out var timer) && (only is null || ReferenceEquals(timer, only)))
            {
                _timers.Remove(name);
                timer.Dispose();
            }
        }
    }
}
