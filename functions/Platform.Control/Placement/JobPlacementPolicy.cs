using Platform.Control.Nodes;
using Platform.Jobs;

namespace Platform.Control.Placement;

/// <summary>Chooses the node of a job: the least busy, then the one that misses the fewest bytes, then the one with the fewest calls.</summary>
internal static class JobPlacementPolicy
{
    /// <param name="model">The model that the job runs, if it runs one.</param>
    /// <param name="nodes">Every node known.</param>
    /// <param name="declined">Nodes that have just declined this job: out.</param>
    /// <param name="lastResort">Nodes that lost this job before: only if no other can take it.</param>
    public static PlacementDecision Choose(ModelManifest? model, IReadOnlyList<NodeView> nodes, IReadOnlyCollection<string> declined, IReadOnlyCollection<string> lastResort)
    {
        var rejections = new List<Rejection>();
        var candidates = new List<NodeView>();
        foreach (var node in nodes)
        {
            if (Reject(node, model, declined) is { } rejection)
            {
                rejections.Add(rejection);
            }
            else
            {
                candidates.Add(node);
            }
        }

        var best = candidates
            .OrderBy(node => lastResort.Contains(node.Worker))
            .ThenBy(node => node.Heartbeat.RunningJobs)
            .ThenBy(node => model is null ? 0 : node.MissingBytes(model))
            .ThenBy(node => node.Heartbeat.InFlight)
            .ThenBy(node => node.Worker, StringComparer.Ordinal)
            .FirstOrDefault();
        return best is null
            ? PlacementDecision.None(rejections)
            : new PlacementDecision(best.Worker, best.Heartbeat.InstanceId, Explain(best, model, candidates.Count, nodes.Count), false);
    }

    private static Rejection? Reject(NodeView node, ModelManifest? model, IReadOnlyCollection<string> declined)
    {
        if (NodeFilter.Reject(node, model) is { } rejection)
        {
            return rejection;
        }

        if (declined.Contains(node.Worker))
        {
            return new Rejection(node.Worker, "has just declined it");
        }

        return node.FreeJobSlots < 1 ? new Rejection(node.Worker, $"runs {node.Heartbeat.MaxJobs} job(s), which is its limit") : null;
    }

    private static string Explain(NodeView best, ModelManifest? model, int candidates, int nodes)
    {
        var bytes = model is null ? "" : best.MissingBytes(model) == 0 ? $", has all of '{model.Name}'" : $", misses {best.MissingBytes(model)} bytes of '{model.Name}'";
        return $"On {best.Worker}: {best.Heartbeat.RunningJobs} job(s) running{bytes}; {candidates} of {nodes} node(s) could take it.";
    }
}
