using Platform.Control.Nodes;
using Platform.Jobs;

namespace Platform.Control.Placement;

/// <summary>Chooses the node that serves a model: where it is ready, else where it is on its way, else where it sleeps in host memory, else where the fewest bytes are missing.</summary>
internal static class ReplicaPlacementPolicy
{
    /// <param name="model">The model.</param>
    /// <param name="nodes">Every node known.</param>
    /// <param name="avoid">Nodes that have just failed the caller: only if no other can serve.</param>
    /// <param name="held">The node chosen for this model a moment ago, whose heartbeat may not say so yet.</param>
    public static PlacementDecision Choose(ModelManifest model, IReadOnlyList<NodeView> nodes, IReadOnlyCollection<string> avoid, string? held)
    {
        var rejections = new List<Rejection>();
        var candidates = new List<NodeView>();
        foreach (var node in nodes)
        {
            if (NodeFilter.Reject(node, model) is { } rejection)
            {
                rejections.Add(rejection);
            }
            else
            {
                candidates.Add(node);
            }
        }

        var best = candidates
            .OrderBy(node => avoid.Contains(node.Worker))
            .ThenBy(node => Distance(node, model, held))
            .ThenBy(node => node.ResidencyOf(model.Name) == ModelResidency.Ready ? node.Heartbeat.InFlight : 0)
            .ThenBy(node => node.MissingBytes(model))
            .ThenByDescending(node => Math.Min(node.Heartbeat.DeviceFreeBytes, model.LengthBytes))
            .ThenBy(node => Spread(node.Worker, model.Name))
            .FirstOrDefault();
        return best is null ? PlacementDecision.None(rejections) : new PlacementDecision(best.Worker, best.Heartbeat.InstanceId, Explain(best, model, held), false);
    }

    private static int Distance(NodeView node, ModelManifest model, string? held) => node.ResidencyOf(model.Name) switch
    {
        ModelResidency.Ready => 0,
        ModelResidency.Loading => 1,
        _ when node.Worker == held => 2,
        ModelResidency.Host => 3,
        _ => 4,
    };

    /// <summary>Different models prefer different nodes when all else is equal (rendezvous hashing; FNV-1a, since string hashes differ per process).</summary>
    private static uint Spread(string worker, string model)
    {
        var hash = 2166136261u;
        foreach (var character in $"{model}/{worker}")
        {
            hash = (hash ^ character) * 16777619u;
        }

        return hash;
    }

    private static string Explain(NodeView best, ModelManifest model, string? held) => best.ResidencyOf(model) switch
    {
        ModelResidency.Ready => $"{best.Worker} has '{model.Name}' ready, {best.Heartbeat.InFlight} call(s) in flight.",
        ModelResidency.Loading => $"{best.Worker} is loading '{model.Name}' already.",
        ModelResidency.Host => $"{best.Worker} has '{model.Name}' asleep in host memory.",
        ModelResidency.Nvme => $"{best.Worker} has every byte of '{model.Name}' on NVMe.",
        _ when best.Worker == held => $"{best.Worker} was chosen for '{model.Name}' a moment ago.",
        _ => $"{best.Worker} misses {best.MissingBytes(model)} of {model.LengthBytes} bytes of '{model.Name}', the fewest.",
    };
}
