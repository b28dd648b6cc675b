using System.Globalization;
using Platform.Control.Nodes;
using Platform.Jobs;

namespace Platform.Control.Placement;

/// <summary>Rules nodes out that do not run the kind of job, or have too little for it: for good, or at present.</summary>
internal static class ResourceFilter
{
    /// <summary>Why <paramref name="node"/> could never run the job; null if it could, given time.</summary>
    public static Rejection? RejectForGood(NodeView node, JobSpec spec)
    {
        var (heartbeat, needs) = (node.Heartbeat, JobNeeds.Of(spec));
        return heartbeat.Kinds is { } kinds && !kinds.Contains(spec.Kind)
            ? new Rejection(node.Worker, spec.Kind == JobKinds.Exec ? "does not allow 'exec' (its operator enables it with Worker:ExecEnabled)" : $"does not run jobs of kind '{spec.Kind}'", Lasting: true, WrongKind: true)
            : heartbeat.MaxJobs < 1 ? new Rejection(node.Worker, "runs no jobs", Lasting: true)
            : needs.Devices > heartbeat.Devices ? Lacks(node, $"has {heartbeat.Devices} device(s) and the job takes {needs.Devices}")
            : needs.DeviceMemoryBytes > heartbeat.DeviceCapacityBytes ? Lacks(node, $"has {heartbeat.DeviceCapacityBytes} bytes of device memory and the job takes {needs.DeviceMemoryBytes}")
            : heartbeat.Cpus > 0 && needs.Cpus > heartbeat.Cpus ? Lacks(node, $"has {Text(heartbeat.Cpus)} processor(s) and the job takes {Text(needs.Cpus)}")
            : heartbeat.MemoryBytes > 0 && needs.MemoryBytes > heartbeat.MemoryBytes ? Lacks(node, $"has {heartbeat.MemoryBytes} bytes of memory and the job takes {needs.MemoryBytes}")
            : null;
    }

    /// <summary>Why <paramref name="node"/> cannot run the job now; null if it can.</summary>
    public static Rejection? RejectNow(NodeView node, JobSpec spec)
    {
        var needs = JobNeeds.Of(spec);
        return node.FreeJobSlots < 1 ? new Rejection(node.Worker, $"runs {node.Heartbeat.MaxJobs} job(s), which is its limit")
            : needs.Devices > node.Free.Devices ? new Rejection(node.Worker, $"has {node.Free.Devices} device(s) free and the job takes {needs.Devices}")
            : needs.DeviceMemoryBytes > node.Free.DeviceMemoryBytes ? new Rejection(node.Worker, $"has {node.Free.DeviceMemoryBytes} bytes of device memory free and the job takes {needs.DeviceMemoryBytes}")
            : node.Heartbeat.Cpus > 0 && needs.Cpus > node.Free.Cpus ? new Rejection(node.Worker, $"has {Text(node.Free.Cpus)} processor(s) free and the job takes {Text(needs.Cpus)}")
            : node.Heartbeat.MemoryBytes > 0 && needs.MemoryBytes > node.Free.MemoryBytes ? new Rejection(node.Worker, $"has {node.Free.MemoryBytes} bytes of memory free and the job takes {needs.MemoryBytes}")
            : null;
    }

    private static Rejection Lacks(NodeView node, string reason) => new(node.Worker, reason, Lasting: true);

    private static string Text(double value) => value.ToString("0.##", CultureInfo.InvariantCulture);
}
