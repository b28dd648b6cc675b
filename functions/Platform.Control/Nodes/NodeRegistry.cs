using Microsoft.Extensions.Options;
using Platform.Control.Placement;
using Platform.Jobs;

namespace Platform.Control.Nodes;

/// <summary>The nodes, in memory, as their heartbeats tell. Nothing here is saved: a new control process knows every living node after one heartbeat interval.</summary>
internal sealed class NodeRegistry(TimeProvider time, IOptions<ControlOptions> options, ILogger<NodeRegistry> logger)
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, Node> _nodes = new(StringComparer.Ordinal);
    private readonly long _started = time.GetTimestamp();
    private TaskCompletionSource _heard = NewSignal();

    /// <summary>Takes a heartbeat; a new instance id of a known worker means that it restarted and holds nothing of what it held.</summary>
    public void Hear(NodeHeartbeat heartbeat)
    {
        TaskCompletionSource heard;
        lock (_lock)
        {
            if (!_nodes.TryGetValue(heartbeat.Worker, out var node))
            {
                _nodes[heartbeat.Worker] = node = new Node(heartbeat);
                NodeLog.Joined(logger, heartbeat.Worker, heartbeat.ProcessId, heartbeat.Device, heartbeat.DeviceCapacityBytes, heartbeat.MaxJobs);
            }
            else if (node.Heartbeat.InstanceId != heartbeat.InstanceId)
            {
                NodeLog.Restarted(logger, heartbeat.Worker, node.Heartbeat.ProcessId, heartbeat.ProcessId);
                node.Slots.Clear();
            }
            else if (!IsAlive(node))
            {
                NodeLog.Back(logger, heartbeat.Worker, time.GetElapsedTime(node.SeenTimestamp));
            }

            node.Heartbeat = heartbeat;
            node.SeenAt = time.GetUtcNow();
            node.SeenTimestamp = time.GetTimestamp();
            // A slot whose job the heartbeat counts is the worker's to count from now on. A heartbeat on its way when the job was accepted does not count it yet.
            node.Slots.RemoveAll(slot => slot.AcceptedTimestamp is { } accepted
                && (heartbeat.Leases is null || heartbeat.Leases.GetValueOrDefault(slot.JobId) == slot.Token || time.GetElapsedTime(accepted) > options.Value.NodeWindow));
            heard = _heard;
            _heard = NewSignal();
        }

        heard.SetResult();
    }

    /// <summary>The table that routers read.</summary>
    public NodeTable Table()
    {
        lock (_lock)
        {
            return new NodeTable([.. _nodes.Values.Select(node => new NodeStatus(node.Heartbeat, node.SeenAt, IsAlive(node)))]);
        }
    }

    /// <summary>The nodes as placement sees them.</summary>
    public IReadOnlyList<NodeView> Views()
    {
        lock (_lock)
        {
            return [.. _nodes.Values.Select(node => new NodeView(node.Heartbeat, IsAlive(node), node.FreeSlots) { Free = node.Free })];
        }
    }

    /// <summary>Job slots that are free on living nodes.</summary>
    public int FreeJobSlots()
    {
        lock (_lock)
        {
            return _nodes.Values.Where(node => IsAlive(node) && !node.Heartbeat.Draining).Sum(node => node.FreeSlots);
        }
    }

    /// <summary>True if <paramref name="worker"/> is known to run as another process than <paramref name="instanceId"/>.</summary>
    public bool HasRestarted(string worker, string instanceId)
    {
        lock (_lock)
        {
            return _nodes.TryGetValue(worker, out var node) && node.Heartbeat.InstanceId != instanceId;
        }
    }

    /// <summary>True once every living node has had the time to say what it has: before that, nobody can say what no node could ever do.</summary>
    public bool IsSettled => time.GetElapsedTime(_started) >= options.Value.Settle;

    /// <summary>Living nodes.</summary>
    public int AliveCount
    {
        get
        {
            lock (_lock)
            {
                return _nodes.Values.Count(IsAlive);
            }
        }
    }

    /// <summary>Price of a node as it last said; 0 if it is not known.</summary>
    public long PriceOf(string worker)
    {
        lock (_lock)
        {
            return _nodes.TryGetValue(worker, out var node) ? node.Heartbeat.PriceMicrosPerHour : 0;
        }
    }

    /// <summary>Holds a job slot of a node, and what else the job takes, until the worker counts the job itself; null if another placement took the last of any of it.</summary>
    public JobSlot? TryHoldSlot(string worker, JobNeeds needs = default)
    {
        lock (_lock)
        {
            if (!_nodes.TryGetValue(worker, out var node) || node.FreeSlots < 1)
            {
                return null;
            }

            var free = node.Free;
            if (needs.Devices > free.Devices || needs.DeviceMemoryBytes > free.DeviceMemoryBytes
                || (node.Heartbeat.Cpus > 0 && needs.Cpus > free.Cpus) || (node.Heartbeat.MemoryBytes > 0 && needs.MemoryBytes > free.MemoryBytes))
            {
                return null;
            }

            var slot = new JobSlot(this, worker, needs);
            node.Slots.Add(slot);
            return slot;
        }
    }

    /// <summary>A lease has ended: what is held for it is free again, also if no heartbeat ever counted it.</summary>
    public void End(string worker, string jobId, long token)
    {
        lock (_lock)
        {
            if (_nodes.TryGetValue(worker, out var node))
            {
                node.Slots.RemoveAll(slot => slot.JobId == jobId && slot.Token == token);
            }
        }
    }

    /// <summary>Completes with the next heartbeat of any node.</summary>
    public Task NextHeartbeat()
    {
        lock (_lock)
        {
            return _heard.Task;
        }
    }

    private void Release(JobSlot slot)
    {
        lock (_lock)
        {
            if (slot.AcceptedTimestamp is null && _nodes.TryGetValue(slot.Worker, out var node))
            {
                node.Slots.Remove(slot);
            }
        }
    }

    private bool IsAlive(Node node) => time.GetElapsedTime(node.SeenTimestamp) < options.Value.NodeWindow;

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Accept(JobSlot slot, string jobId, long token)
    {
        lock (_lock)
        {
            slot.Take(jobId, token, time.GetTimestamp());
        }
    }

    /// <summary>A job slot that a placement holds. Dispose gives it back, unless the worker accepted the job.</summary>
    internal sealed class JobSlot(NodeRegistry registry, string worker, JobNeeds needs) : IDisposable
    {
        public string Worker => worker;

        public JobNeeds Needs => needs;

        /// <summary>When the worker accepted; null before.</summary>
        public long? AcceptedTimestamp { get; private set; }

        public string JobId { get; private set; } = "";

        public long Token { get; private set; }

        /// <summary>The worker took the job: the slot stays held until its heartbeat counts the lease.</summary>
        public void Accept(string jobId = "", long token = 0) => registry.Accept(this, jobId, token);

        public void Dispose() => registry.Release(this);

        internal void Take(string jobId, long token, long timestamp) => (JobId, Token, AcceptedTimestamp) = (jobId, token, timestamp);
    }

    private sealed class Node(NodeHeartbeat heartbeat)
    {
        public NodeHeartbeat Heartbeat { get; set; } = heartbeat;

        public DateTimeOffset SeenAt { get; set; }

        public long SeenTimestamp { get; set; }

        public List<JobSlot> Slots { get; } = [];

        /// <summary>What the heartbeat calls free, less what is held and not counted in it.</summary>
        public JobNeeds Free
        {
            get
            {
                var held = Slots.Aggregate(default(JobNeeds), (sum, slot) => sum + slot.Needs);
                return new JobNeeds(
                    Math.Max(0, Heartbeat.FreeDevices - held.Devices),
                    Math.Max(0, Heartbeat.DeviceFreeBytes - held.DeviceMemoryBytes),
                    Math.Max(0, Heartbeat.FreeCpus - held.Cpus),
                    Math.Max(0, Heartbeat.FreeMemoryBytes - held.MemoryBytes));
            }
        }

        public int FreeSlots => Math.Max(0, Heartbeat.MaxJobs - Heartbeat.RunningJobs - Slots.Count);
    }
}
