namespace Platform.Jobs;

/// <summary>Worker to control, every second and on change: what the node has and does.</summary>
public sealed record NodeHeartbeat
{
    /// <summary>App id of the worker.</summary>
    public required string Worker { get; init; }

    /// <summary>Identifies the process: a new value means that the worker restarted and holds nothing.</summary>
    public required string InstanceId { get; init; }

    /// <summary>Process id, for people.</summary>
    public required int ProcessId { get; init; }

    /// <summary>The accelerator's own name, for example <c>Host memory (AVX2, 2 cores)</c>.</summary>
    public required string Device { get; init; }

    /// <summary>Bytes that models may take in device memory.</summary>
    public required long DeviceCapacityBytes { get; init; }

    /// <summary>Bytes of it that are free.</summary>
    public required long DeviceFreeBytes { get; init; }

    /// <summary>Models on the node and how near they are.</summary>
    public required IReadOnlyDictionary<string, ModelResidency> Models { get; init; }

    /// <summary>Seconds until models that are on their way are expected to be ready, as far as that is known.</summary>
    public IReadOnlyDictionary<string, double> ReadyInSeconds { get; init; } = new Dictionary<string, double>();

    /// <summary>Bytes per model that the NVMe tier holds.</summary>
    public required IReadOnlyDictionary<string, long> CachedBytes { get; init; }

    /// <summary>Completions running or waiting on the node.</summary>
    public required int InFlight { get; init; }

    /// <summary>Jobs running on the node.</summary>
    public required int RunningJobs { get; init; }

    /// <summary>Jobs that the node runs at once at most.</summary>
    public required int MaxJobs { get; init; }

    /// <summary>Recent rate of all completions together, tokens per second; 0 if unknown.</summary>
    public double TokensPerSecond { get; init; }

    /// <summary>Bytes read from object storage since the process started.</summary>
    public long ObjectStoreBytes { get; init; }

    /// <summary>Bytes in the NVMe tier and its limit.</summary>
    public long TierBytes { get; init; }

    /// <summary>Hard limit of the NVMe tier.</summary>
    public long TierLimitBytes { get; init; }

    /// <summary>Kinds of job that the node runs, of <see cref="JobKinds"/>; null: it does not say, so all of them.</summary>
    public IReadOnlyList<string>? Kinds { get; init; }

    /// <summary>Devices that jobs may take whole.</summary>
    public int Devices { get; init; }

    /// <summary>Devices that no job has taken.</summary>
    public int FreeDevices { get; init; }

    /// <summary>Processors that jobs may take; 0: it does not say.</summary>
    public double Cpus { get; init; }

    /// <summary>Processors that no job has taken.</summary>
    public double FreeCpus { get; init; }

    /// <summary>Bytes of memory that jobs may take; 0: it does not say.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Bytes of memory that no job has taken.</summary>
    public long FreeMemoryBytes { get; init; }

    /// <summary>Price of the node, in millionths of the operator's currency per hour.</summary>
    public long PriceMicrosPerHour { get; init; }

    /// <summary>Fencing tokens by job of the leases that are counted in <see cref="RunningJobs"/>; null: it does not say.</summary>
    public IReadOnlyDictionary<string, long>? Leases { get; init; }

    /// <summary>Bytes per object-storage key that the NVMe tier holds beside models, the largest 256.</summary>
    public IReadOnlyDictionary<string, long>? CachedArtifacts { get; init; }

    /// <summary>True while the node shuts down: place nothing here.</summary>
    public bool Draining { get; init; }
}

/// <summary>A node as control knows it.</summary>
/// <param name="Heartbeat">The latest heartbeat.</param>
/// <param name="SeenAt">When it came.</param>
/// <param name="Alive">False if it is late.</param>
public sealed record NodeStatus(NodeHeartbeat Heartbeat, DateTimeOffset SeenAt, bool Alive);

/// <summary>The answer of control's <see cref="Routes.ControlNodes"/>: the table that routers read.</summary>
/// <param name="Nodes">Every node seen since control started.</param>
public sealed record NodeTable(IReadOnlyList<NodeStatus> Nodes);

/// <summary>Argument of <c>ModelActor.EnsureReplica</c>.</summary>
/// <param name="Avoid">Workers that just failed the caller.</param>
public sealed record EnsureReplicaRequest(IReadOnlyList<string> Avoid);

/// <summary>Answer of <c>ModelActor.EnsureReplica</c>.</summary>
/// <param name="Worker">The worker to call; null if none can serve the model.</param>
/// <param name="Manifest">The model's manifest; null if the model is unknown.</param>
/// <param name="Reason">Why this worker, or why none: per node.</param>
public sealed record ReplicaAnswer(string? Worker, ModelManifest? Manifest, string Reason);
