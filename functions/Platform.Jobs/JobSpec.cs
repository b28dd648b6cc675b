using System.Text.Json.Serialization;

namespace Platform.Jobs;

/// <summary>What a client asks for: the body of <c>POST /api/jobs</c> and the text of a message in the <c>jobs</c> queue.</summary>
/// <remarks>Immutable by convention: members with a default have a setter, because generated JSON code sets every <c>init</c> member, an absent one to zero. Two specs are the same request if their JSON is the same; a different spec under a known id is a conflict.</remarks>
public sealed record JobSpec
{
    /// <summary>Chosen by the client, which makes submission idempotent; <see cref="Names.JobIdRule"/>. Null: the platform chooses.</summary>
    public string? Id { get; init; }

    /// <summary>One of <see cref="JobKinds"/>.</summary>
    public required string Kind { get; init; }

    /// <summary>Model that the job runs; required by <see cref="JobKinds.BatchInfer"/>.</summary>
    public string? Model { get; init; }

    /// <summary>Object-storage key of the input: one prompt per line, or JSON lines with a <c>prompt</c> member; of <see cref="JobKinds.Train"/> the text to learn. Exclusive with <see cref="Prompts"/>.</summary>
    public string? Input { get; init; }

    /// <summary>The prompts themselves, for small jobs: at most 1,000, 32 KiB together.</summary>
    public IReadOnlyList<string>? Prompts { get; init; }

    /// <summary>Tokens to make per item, 1 to 4096. Default 32.</summary>
    public int MaxTokens { get; set; } = 32;

    /// <summary>Sampling temperature, 0 (greedy, the default) to 2.</summary>
    public double Temperature { get; init; }

    /// <summary>Program and arguments of <see cref="JobKinds.Exec"/>, 1 to 256 of at most 4,096 characters; no shell reads them. In an array, <c>{index}</c> stands for the index.</summary>
    public IReadOnlyList<string>? Command { get; init; }

    /// <summary>Environment of the command, at most 64 variables; names beginning with <c>PLATFORM_</c> and <c>CUDA_VISIBLE_DEVICES</c> are the platform's own.</summary>
    public IReadOnlyDictionary<string, string>? Environment { get; init; }

    /// <summary>Objects that the command finds as files before it starts: object-storage key to file name, at most 256. In an array, <c>{index}</c> in a key stands for the index.</summary>
    public IReadOnlyDictionary<string, string>? Artifacts { get; init; }

    /// <summary>How to train, with <see cref="JobKinds.Train"/>. Null: the trainer's defaults.</summary>
    public JobTraining? Training { get; init; }

    /// <summary>What the job takes of a node beside its slot. Null: nothing.</summary>
    public JobResources? Resources { get; init; }

    /// <summary>Attempts in all, 1 to 100. Default 3.</summary>
    public int MaxAttempts { get; set; } = 3;

    /// <summary>Waits between attempts, and which exit codes end the job at once. Null: the platform's standard.</summary>
    public JobRetryPolicy? Retry { get; init; }

    /// <summary>Waiting jobs of a higher priority go first, -100 to 100. Default 0; equal ones go in the order of submission.</summary>
    public int Priority { get; init; }

    /// <summary>Runs the job many times, each with an index. Null: once.</summary>
    public JobArray? Array { get; init; }

    /// <summary>Seconds from submission to the end at the latest, 1 to 604,800 (7 days). Null: none.</summary>
    public int? DeadlineSeconds { get; init; }

    /// <summary>Seconds after the end until everything about the job is removed: state, row, logs, results; of an array, all of its indexes too. 0 to 31,536,000 (a year). Null: kept.</summary>
    public int? TtlSeconds { get; init; }

    /// <summary>Seconds between SIGTERM and SIGKILL when a command must stop, 0 to 300. Null: the node's standard.</summary>
    public int? GraceSeconds { get; init; }

    /// <summary>Who is told of the end.</summary>
    public JobWebhook? Webhook { get; init; }

    /// <summary>The client's own labels, at most 16 pairs of 64 characters each; used by list filters and, <c>function</c> and <c>tenant</c>, by the ledger.</summary>
    public IReadOnlyDictionary<string, string>? Labels { get; init; }

    /// <summary>Id of the ended job that this one repeats; set by <c>POST /api/jobs/{id}/retry</c>.</summary>
    public string? RetryOf { get; init; }

    /// <summary>Set by the platform in the children of an array job, and in what repeats one of them: whose child, and which.</summary>
    public JobArrayMember? Member { get; init; }
}

/// <summary>The kinds of job that workers run.</summary>
public static class JobKinds
{
    /// <summary>One completion per prompt; the results, in order, go to object storage.</summary>
    public const string BatchInfer = "batch-infer";

    /// <summary>Any command, on nodes whose operator allows it.</summary>
    public const string Exec = "exec";

    /// <summary>The reference trainer: a text in, a model folder out, resumed from its last checkpoint.</summary>
    public const string Train = "train";

    /// <summary>Every known kind.</summary>
    public static IReadOnlyList<string> All { get; } = [BatchInfer, Exec, Train];
}

/// <summary>One fault of a spec: where, and what is wrong with it.</summary>
/// <param name="Path">JSON path, for example <c>$.prompts[3]</c>.</param>
/// <param name="Message">What was found and what was expected.</param>
public sealed record SpecFault(string Path, string Message);

/// <summary>The message in the <c>jobs</c> queue: a doorbell for a job that is recorded, or a whole submission by anybody who can write to the queue.</summary>
public sealed record JobMessage
{
    /// <summary>The job's id; never null in a message.</summary>
    [JsonRequired]
    public required string Id { get; init; }

    /// <summary>Null: the job is recorded, and the message only rings. Else the job to submit; a queue takes texts of 64 KiB at most, so a larger spec goes through <c>POST /api/jobs</c>.</summary>
    public JobSpec? Spec { get; init; }
}
