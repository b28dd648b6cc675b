using System.ComponentModel.DataAnnotations;

namespace Platform.Control;

/// <summary>Settings of the control app: section <c>Control</c> of the configuration, for example environment variable <c>Control__Lease=00:00:05</c>.</summary>
public sealed class ControlOptions
{
    /// <summary>Section of the configuration.</summary>
    public const string Section = "Control";

    /// <summary>A node is alive if its last heartbeat is younger than this. Default 3 s, 500 ms to 5 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.5", "00:05:00")]
    public TimeSpan NodeWindow { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>A job whose worker has been silent for longer than this is taken away from it. Default 3 s, 500 ms to 10 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.5", "00:10:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>How often a job that a worker holds looks at its lease and deadline. Default 1 s, 100 ms to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:01:00")]
    public TimeSpan LeaseCheck { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How soon a job that begins to wait before the nodes are settled (<see cref="Settle"/>) looks again by itself, and one that has ended owes something; a node that becomes free wakes it at once.
    /// Default 5 s, 100 ms to 10 min.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:10:00")]
    public TimeSpan QueueCheck { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>How often a waiting job looks by itself after that: a safety net which every waiting job pays for with a durable write. Default 1 h, 100 ms to 24 h.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "1.00:00:00")]
    public TimeSpan QueueRecheck { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Workers are asked for a heartbeat per job this often. Default 1 s, 50 ms to 1 min; at most a third of <see cref="Lease"/> is sensible.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "00:01:00")]
    public TimeSpan JobHeartbeat { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a worker may take to accept or decline a job. Default 5 s, 100 ms to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:01:00")]
    public TimeSpan AcceptTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Wait before the second attempt after a failure; doubles with every further one. Default 1 s, 0 to 1 h. A lost lease does not wait.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>Longest wait between two attempts. Default 1 min, 0 to 24 h.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "1.00:00:00")]
    public TimeSpan MaxRetryDelay { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a new process listens to heartbeats before it says that no node could ever take a job. Default 3 s, 0 to 5 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:05:00")]
    public TimeSpan Settle { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>How often an array job looks after its children, beside being told of each end. Default 5 s, 100 ms to 10 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:10:00")]
    public TimeSpan ArrayCheck { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Secrets that webhooks are signed with, by name: base64, with or without the prefix <c>whsec_</c>, as Standard Webhooks has it.</summary>
    public Dictionary<string, string> WebhookSecrets { get; set; } = [];

    /// <summary>How long an address may take to answer a webhook. Default 10 s, 100 ms to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:01:00")]
    public TimeSpan WebhookTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Wait before the second delivery of a webhook; doubles with every further one, up to an hour. Default 5 s, 10 ms to 1 h.</summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "01:00:00")]
    public TimeSpan WebhookDelay { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Deliveries of a webhook that are tried in all. Default 10, 1 to 100.</summary>
    [Range(1, 100)]
    public int WebhookTries { get; set; } = 10;

    /// <summary>How long the choice of a node for a cold model holds while no heartbeat confirms it. Default 30 s, 1 s to 10 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:10:00")]
    public TimeSpan ReplicaHold { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>A replica without a call for this long leaves memory at the next sweep; the NVMe tier keeps its bytes near. Default 15 min, 0 (never) to 30 days.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "30.00:00:00")]
    public TimeSpan ReplicaIdle { get; set; } = TimeSpan.FromMinutes(15);
}
