using System.Globalization;
using Platform.Control.Nodes;
using Platform.Jobs;

namespace Platform.Control.Placement;

/// <summary>Chooses the node of a job: where it can begin soonest, which is the queue there and the time to stage what is missing.</summary>
internal static class JobPlacementPolicy
{
    /// <summary>What a running job and a completion in flight are taken to cost a newcomer. Guesses: only their order of size matters beside staging.</summary>
    private const double SecondsPerRunningJob = 2;
    private const double SecondsPerCall = 0.05;

    /// <summary>Rate at which missing bytes are taken to come from object storage.</summary>
    private const double BytesPerSecond = 200e6;

    /// <param name="spec">The job.</param>
    /// <param name="model">The model that the job runs, if it runs one.</param>
    /// <param name="nodes">Every node known.</param>
    /// <param name="declined">Nodes that have just declined this job: out.</param>
    /// <param name="lastResort">Nodes that lost this job before: only if no other can take it.</param>
    public static PlacementDecision Choose(JobSpec spec, ModelManifest? model, IReadOnlyList<NodeView> nodes, IReadOnlyCollection<string> declined, IReadOnlyCollection<string> lastResort)
    {
        var rejections = new List<Rejection>();
        var candidates = new List<NodeView>();
        foreach (var node in nodes)
        {
            if (Reject(node, spec, model, declined) is { } rejection)
            {
                rejections.Add(rejection);
            }
            else
            {
                candidates.Add(node);
            }
        }

        var best = Rank(candidates, spec, model, lastResort).FirstOrDefault();
        return best is null
            ? PlacementDecision.None(rejections)
            : new PlacementDecision(best.Worker, best.Heartbeat.InstanceId, Explain(best, spec, model, candidates.Count, nodes.Count), false);
    }

    /// <summary>The node that a waiting job will most likely run on, so that its bytes can go there meanwhile; null if none can ever take it.</summary>
    public static NodeView? Expect(JobSpec spec, ModelManifest? model, IReadOnlyList<NodeView> nodes) =>
        Rank(nodes.Where(node => NodeFilter.Reject(node, model) is null && ResourceFilter.RejectForGood(node, spec) is null), spec, model, []).FirstOrDefault();

    /// <summary>Bytes of the model and the artifacts that the node must read from object storage. An artifact's length is not known here: one that is cached counts as a gain.</summary>
    public static long MissingBytes(NodeView node, JobSpec spec, ModelManifest? model)
    {
        var cached = spec.Artifacts is { } artifacts && node.Heartbeat.CachedArtifacts is { } there ? artifacts.Keys.Sum(key => there.GetValueOrDefault(key)) : 0;
        return (model is null ? 0 : node.MissingBytes(model)) - cached;
    }

    private static IOrderedEnumerable<NodeView> Rank(IEnumerable<NodeView> nodes, JobSpec spec, ModelManifest? model, IReadOnlyCollection<string> lastResort) => nodes
        .OrderBy(node => lastResort.Contains(node.Worker))
        .ThenBy(node => SecondsToStart(node, spec, model))
        .ThenBy(node => node.Worker, StringComparer.Ordinal);

    private static double SecondsToStart(NodeView node, JobSpec spec, ModelManifest? model) =>
        (MissingBytes(node, spec, model) / BytesPerSecond) + ((node.Heartbeat.MaxJobs - node.FreeJobSlots) * SecondsPerRunningJob) + (node.Heartbeat.InFlight * SecondsPerCall);

    private static Rejection? Reject(NodeView node, JobSpec spec, ModelManifest? model, IReadOnlyCollection<string> declined) =>
        NodeFilter.Reject(node, model)
        ?? ResourceFilter.RejectForGood(node, spec)
        ?? (declined.Contains(node.Worker) ? new Rejection(node.Worker, "has just declined it") : ResourceFilter.RejectNow(node, spec));

    private static string Explain(NodeView best, JobSpec spec, ModelManifest? model, int candidates, int nodes)
    {
        var bytes = model is null ? "" : best.MissingBytes(model) == 0 ? $", has all of '{model.Name}'" : $", misses {best.MissingBytes(model)} bytes of '{model.Name}'";
        var seconds = Math.Max(0, SecondsToStart(best, spec, model)).ToString("0.##", CultureInfo.InvariantCulture);
        return $"On {best.Worker}: {best.Heartbeat.RunningJobs} job(s) running{bytes}, about {seconds} s to its start; {candidates} of {nodes} node(s) could take it.";
    }
}
