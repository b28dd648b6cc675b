using Platform.Local.Sidecar.Actors;

namespace Platform.Local.Sidecar.Resiliency;

/// <summary>Breakers of single actors, of which only the latest used are kept. Thread-safe.</summary>
internal sealed class ActorBreakers
{
    public const int DefaultSize = 5000;
    private readonly Dictionary<ActorKey, LinkedListNode<(ActorKey Actor, CircuitBreaker Breaker)>> _byActor = [];
    private readonly LinkedList<(ActorKey Actor, CircuitBreaker Breaker)> _byUse = new();
    private readonly Lock _gate = new();

    /// <summary>The breaker of an actor; a new, closed one if it was not used for long.</summary>
    public CircuitBreaker Of(ActorKey actor, CircuitBreakerPolicy policy, int size, TimeProvider time)
    {
        lock (_gate)
        {
            if (_byActor.TryGetValue(actor, out var node))
            {
                _byUse.Remove(node);
            }
            else
            {
                node = new LinkedListNode<(ActorKey Actor, CircuitBreaker Breaker)>((actor, new CircuitBreaker(policy, time)));
                _byActor.Add(actor, node);
                if (_byActor.Count > Math.Max(1, size))
                {
                    _byActor.Remove(_byUse.Last!.Value.Actor);
                    _byUse.RemoveLast();
                }
            }

            _byUse.AddFirst(node);
            return node.Value.Breaker;
        }
    }
}
