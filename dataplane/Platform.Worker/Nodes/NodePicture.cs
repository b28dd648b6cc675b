using Microsoft.Extensions.Options;
using Platform.DataPlane.ObjectStorage;
using Platform.Jobs;
using Platform.Worker.Http;
using Platform.Worker.Jobs;
using Platform.Worker.Jobs.Exec;
using Platform.Worker.Models;
using Platform.Worker.Tier;

namespace Platform.Worker.Nodes;

/// <summary>What the node has and does at this moment.</summary>
internal sealed class NodePicture(WorkerNode node, NodeDevices devices, ResidentModels models, ITierView tier, InFlightCalls calls, JobRuns jobs, NodeResources resources, IEnumerable<IJobHandler> handlers, TimeProvider time, IOptions<WorkerOptions> options)
{
    private const int MaxArtifacts = 256;
    private long _tokens;
    private long _measuredAt = time.GetTimestamp();
    private double _tokensPerSecond;

    /// <summary>Set when the process stops.</summary>
    public bool Draining { get; set; }

    /// <summary>Called by the heartbeat alone.</summary>
    public NodeHeartbeat Take()
    {
        Measure();
        var cached = tier.BytesByModel();
        var free = resources.Free;
        var leases = jobs.Leases();
        return new NodeHeartbeat
        {
            Worker = node.Name,
            InstanceId = node.InstanceId,
            ProcessId = Environment.ProcessId,
            Device = devices.Description,
            DeviceCapacityBytes = models.CapacityBytes,
            DeviceFreeBytes = free.DeviceMemoryBytes,
            Models = models.Residency(),
            ReadyInSeconds = models.ReadyInSeconds(),
            CachedBytes = cached,
            InFlight = calls.Count,
            RunningJobs = jobs.Count,
            MaxJobs = options.Value.MaxJobs,
            TokensPerSecond = _tokensPerSecond,
            ObjectStoreBytes = ObjectStorageCounters.Process.BytesRead,
            TierBytes = tier.Bytes,
            TierLimitBytes = tier.LimitBytes,
            Kinds = Kinds(),
            Devices = resources.Devices,
            FreeDevices = free.Devices,
            Cpus = resources.Cpus,
            FreeCpus = free.Cpus,
            MemoryBytes = resources.MemoryBytes,
            FreeMemoryBytes = free.MemoryBytes,
            PriceMicrosPerHour = options.Value.PriceMicrosPerHour,
            Leases = leases,
            CachedArtifacts = tier.BytesByArtifact(MaxArtifacts),
            Draining = Draining || jobs.IsDraining,
        };
    }

    private string[] Kinds() => [.. handlers.Select(handler => handler.Kind).Where(kind => kind != JobKinds.Exec || (options.Value.ExecEnabled && CommandProcess.IsSupported))];

    private void Measure()
    {
        var elapsed = time.GetElapsedTime(_measuredAt).TotalSeconds;
        if (elapsed < 0.5)
        {
            return;
        }

        // An evicted model takes its count along, so the sum may fall.
        var tokens = models.TokensMade();
        _tokensPerSecond = Math.Round(Math.Max(0, tokens - _tokens) / elapsed, 1);
        (_tokens, _measuredAt) = (tokens, time.GetTimestamp());
    }
}
