using Platform.Jobs;

namespace Platform.Functions.Routing;

/// <summary>Picks a worker that has the model ready: two at random, and of these the one with fewer calls.</summary>
/// <remarks>Mitzenmacher, "The power of two choices in randomized load balancing": nearly as even as asking all, without the herd that follows an old table to the one least busy worker.</remarks>
internal sealed class PowerOfTwoChoicesPolicy(CallsByWorker calls, Random random)
{
    /// <summary>A worker for the model; null if none has it ready. Workers in <paramref name="avoid"/> are not chosen.</summary>
    public string? Pick(NodeTable table, string model, IReadOnlyCollection<string> avoid)
    {
        var ready = new List<NodeHeartbeat>(table.Nodes.Count);
        foreach (var node in table.Nodes)
        {
            var heartbeat = node.Heartbeat;
            if (node.Alive && !heartbeat.Draining && !avoid.Contains(heartbeat.Worker) && heartbeat.Models.GetValueOrDefault(model) == ModelResidency.Ready)
            {
                ready.Add(heartbeat);
            }
        }

        if (ready.Count <= 1)
        {
            return ready.Count == 0 ? null : ready[0].Worker;
        }

        var first = random.Next(ready.Count);
        var second = (first + 1 + random.Next(ready.Count - 1)) % ready.Count;
        return Load(ready[second]) < Load(ready[first]) ? ready[second].Worker : ready[first].Worker;
    }

    /// <summary>A heartbeat is up to a second old and knows all callers; our own count is new and knows only us.</summary>
    private int Load(NodeHeartbeat node) => Math.Max(node.InFlight, calls.At(node.Worker));
}
