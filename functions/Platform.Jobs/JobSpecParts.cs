namespace Platform.Jobs;

/// <summary>What a job takes of a node while it runs. A node takes no job for which it lacks any of it.</summary>
public sealed record JobResources
{
    /// <summary>Whole devices, 0 to 64; the command sees them by <c>CUDA_VISIBLE_DEVICES</c>.</summary>
    public int Devices { get; init; }

    /// <summary>Bytes of device memory that no model and no other job may take meanwhile.</summary>
    public long DeviceMemoryBytes { get; init; }

    /// <summary>Processors, 0 to 1024; fractions are fine. A limit where the node can set one (cgroup v2).</summary>
    public double Cpu { get; init; }

    /// <summary>Bytes of memory. A limit where the node can set one (cgroup v2).</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Bytes that the scratch folder may hold; 0 for the node's standard.</summary>
    public long ScratchBytes { get; init; }

    /// <summary>Bytes that the output folder may hold; 0 for the node's standard.</summary>
    public long OutputBytes { get; init; }
}

/// <summary>What happens between two attempts.</summary>
public sealed record JobRetryPolicy
{
    /// <summary>Wait before the second attempt after a failure, doubled with every further one; 0 to 3,600 s. Null: the platform's standard.</summary>
    public double? DelaySeconds { get; init; }

    /// <summary>Longest wait, 0 to 86,400 s. Null: the platform's standard.</summary>
    public double? MaxDelaySeconds { get; init; }

    /// <summary>Exit codes, 1 to 255, after which another attempt would fail the same way: the job fails at once.</summary>
    public IReadOnlyList<int>? FinalExitCodes { get; init; }
}

/// <summary>A job that runs many times. Each index is a job of its own under the id <c>{id}-{index}</c>, with its own attempts.</summary>
public sealed record JobArray
{
    /// <summary>Indexes 0 to size - 1; 1 to 10,000.</summary>
    public int Size { get; init; }

    /// <summary>Indexes that are under way at once at most, 1 to 1,000. Default 10.</summary>
    public int Parallelism { get; set; } = 10;
}

/// <summary>Which part of an array a job is.</summary>
/// <param name="Parent">Id of the array job.</param>
/// <param name="Index">From 0.</param>
/// <param name="Size">Indexes in all.</param>
public sealed record JobArrayMember(string Parent, int Index, int Size);

/// <summary>An address that is told of the end by a signed POST (Standard Webhooks: <c>webhook-id</c>, <c>webhook-timestamp</c>, <c>webhook-signature</c>).</summary>
public sealed record JobWebhook
{
    /// <summary>Absolute http or https address without user name.</summary>
    public required string Url { get; init; }

    /// <summary>Name of the signing secret in control's settings, <c>Control:WebhookSecrets:{name}</c>. Null: <c>default</c>.</summary>
    public string? SecretName { get; init; }
}

/// <summary>Settings of the reference trainer; what is null is the trainer's default.</summary>
public sealed record JobTraining
{
    /// <summary>Steps of the optimizer, 1 to 1,000,000.</summary>
    public int? Steps { get; init; }

    /// <summary>Sequences per step, an even number from 2 to 1,024.</summary>
    public int? Batch { get; init; }

    /// <summary>Largest learning rate, above 0, at most 1.</summary>
    public double? LearningRate { get; init; }

    /// <summary>Same seed and settings, same model.</summary>
    public int? Seed { get; init; }

    /// <summary>Width of the model.</summary>
    public int? Hidden { get; init; }

    /// <summary>Width of the feed-forward blocks.</summary>
    public int? Intermediate { get; init; }

    /// <summary>Blocks.</summary>
    public int? Layers { get; init; }

    /// <summary>Query heads.</summary>
    public int? Heads { get; init; }

    /// <summary>Key and value heads.</summary>
    public int? KeyValueHeads { get; init; }

    /// <summary>Tokens of the vocabulary to learn.</summary>
    public int? Vocabulary { get; init; }

    /// <summary>Longest sequence.</summary>
    public int? Context { get; init; }
}
