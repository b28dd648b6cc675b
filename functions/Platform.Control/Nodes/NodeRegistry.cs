using Microsoft.Extensions.Options;
using Platform.Jobs;

namespace Platform.Control.Nodes;

/// <summary>The nodes, in memory, as their heartbeats tell. Nothing here is saved: a new control process knows every living node after one heartbeat interval.</summary>
internal sealed class NodeRegistry(TimeProvider time, IOptions<ControlOptions> options, ILogger<NodeRegistry> logger)
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, Node> _nodes = new(StringComparer.Ordinal);
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
            // A slot whose job the worker has accepted is counted by the worker from now on.
            node.Slots.RemoveAll(slot => slot.Accepted);
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
            return [.. _nodes.Values.Select(node => new NodeView(node.Heartbeat, IsAlive(node), node.FreeSlots))];
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

    /// <summary>Holds one job slot of a node until the worker counts the job itself; null if another placement took the last one.</summary>
    public JobSlot? TryHoldSlot(string worker)
    {
        lock (_lock)
        {
            if (!_nodes.TryGetValue(worker, out var node) || node.FreeSlots < 1)
            {
                return null;
            }

            var slot = new JobSlot(this, worker);
            node.Slots.Add(slot);
            return slot;
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
            if (!slot.Accepted && _nodes.TryGetValue(slot.Worker, out var node))
            {
                node.Slots.Remove(slot);
            }
        }
    }

    private bool IsAlive(Node node) => time.GetElapsedTime(node.SeenTimestamp) < options.Value.NodeWindow;

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>A job slot that a placement holds. Dispose gives it back, unless the worker accepted the job.</summary>
    internal sealed class JobSlot(NodeRegistry registry, string worker) : IDisposable
    {
        public string Worker => worker;

        public bool Accepted { get; private set; }

        public void Accept() => Accepted = true;

        public void Dispose() => registry.Release(this);
    }

    private sealed class Node(NodeHeartbeat heartbeat)
    {
        public NodeHeartbeat Heartbeat { get; set; } = heartbeat;

        public DateTimeOffset SeenAt { get; set; }

        public long SeenTimestamp { get; set; }

        public List<JobSlot> Slots { get; } = [];

        public int FreeSlots => Math.Max(0, Heartbeat.MaxJobs - Heartbeat.RunningJobs - Slots.Count);
    }
}
