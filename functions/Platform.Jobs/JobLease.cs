namespace Platform.Jobs;

/// <summary>Control to worker, <see cref="Routes.WorkerRunJob"/>: here is a lease, run the job. 202 accepts, 429 or 503 declines.</summary>
public sealed record RunJobRequest
{
    /// <summary>The job.</summary>
    public required string JobId { get; init; }

    /// <summary>Attempt number, 1 for the first.</summary>
    public required int Attempt { get; init; }

    /// <summary>Fencing token of this lease; the worker shows it with every message about the job.</summary>
    public required long Token { get; init; }

    /// <summary>The spec as submitted.</summary>
    public required JobSpec Spec { get; init; }

    /// <summary>The model's manifest where the spec names a model.</summary>
    public ModelManifest? Model { get; init; }

    /// <summary>Send a heartbeat at least this often, in milliseconds.</summary>
    public required int HeartbeatMilliseconds { get; init; }
}

/// <summary>Worker to JobActor, methods <c>Started</c>, <c>Heartbeat</c>, <c>Complete</c>, <c>Fail</c>: a sign of life or the end, under a token.</summary>
public sealed record LeaseReport
{
    /// <summary>The token of the lease that the sender holds.</summary>
    public required long Token { get; init; }

    /// <summary>The sender's app id.</summary>
    public required string Worker { get; init; }

    /// <summary>Items finished; null if unchanged.</summary>
    public JobProgress? Progress { get; init; }

    /// <summary>Milliseconds that the attempt has waited for bytes so far.</summary>
    public long StagingMs { get; init; }

    /// <summary>Milliseconds that the attempt has waited for an engine after that.</summary>
    public long LoadingMs { get; init; }

    /// <summary>With <c>Return</c>: why the worker hands the lease back.</summary>
    public string? Reason { get; init; }

    /// <summary>With <c>Complete</c>.</summary>
    public JobResult? Result { get; init; }

    /// <summary>With <c>Fail</c>.</summary>
    public JobFailure? Failure { get; init; }
}

/// <summary>JobActor to worker: what to do now.</summary>
/// <param name="Accepted">False: the token is old or the job has ended; stop and clean up, nothing you say about it counts.</param>
/// <param name="Cancel">True: the user cancelled; stop, then report.</param>
/// <param name="State">The job's state after the report.</param>
public sealed record LeaseAnswer(bool Accepted, bool Cancel, JobState State);

/// <summary>JobActor to a submitter.</summary>
/// <param name="Outcome">See <see cref="SubmitOutcome"/>.</param>
/// <param name="Status">The job as it stands.</param>
public sealed record SubmitAnswer(SubmitOutcome Outcome, JobStatus Status);

/// <summary>What became of a submission.</summary>
[System.Text.Json.Serialization.JsonConverter(typeof(System.Text.Json.Serialization.JsonStringEnumConverter<SubmitOutcome>))]
public enum SubmitOutcome
{
    /// <summary>New and durable.</summary>
    Created,

    /// <summary>The same spec was submitted before under this id; nothing changed.</summary>
    AlreadyKnown,

    /// <summary>Another spec is known under this id; nothing changed.</summary>
    Conflict,
}

/// <summary>Control to worker, <see cref="Routes.WorkerPrefetch"/>: a job that waits will need these bytes; begin now. Answered at once by <see cref="MissingObjects"/>; what cannot be fetched is fetched by the job.</summary>
/// <param name="JobId">Who will need them.</param>
/// <param name="Model">The model's manifest; null if it runs none.</param>
/// <param name="Artifacts">Object-storage keys.</param>
public sealed record PrefetchRequest(string JobId, ModelManifest? Model, IReadOnlyList<string> Artifacts)
{
    /// <summary>Key of the input, which must exist and is read by the job itself; null if it has none.</summary>
    public string? Input { get; init; }
}

/// <summary>Objects that a job names and that do not exist.</summary>
/// <param name="Keys">Their keys; none if all are there.</param>
/// <param name="Where">Object storage in which they were looked for, a path or a URL.</param>
public sealed record MissingObjects(IReadOnlyList<string> Keys, string Where)
{
    private const int MaxNamed = 10;

    /// <summary>The end of a job that needs them.</summary>
    public JobFailure ToFailure() => new(
        ErrorCodes.ObjectNotFound,
        $"{string.Join(", ", Keys.Take(MaxNamed).Select(key => $"'{key}'"))}{(Keys.Count > MaxNamed ? $" and {Keys.Count - MaxNamed} more" : "")} {(Keys.Count == 1 ? "is" : "are")} not in object storage ({Where}). Put {(Keys.Count == 1 ? "it" : "them")} there, then submit the job again.",
        false);
}

/// <summary>To <c>JobActor.ChildEnded</c> of an array job: one of its children has ended.</summary>
/// <param name="Index">Which.</param>
/// <param name="State">How.</param>
/// <param name="Tokens">Tokens of its result.</param>
public sealed record ChildReport(int Index, JobState State, long Tokens);

/// <summary>To <c>JobActor.WebhookTried</c>: what came of a delivery.</summary>
/// <param name="Try">Which one, 1 for the first.</param>
/// <param name="Error">Null: the address answered with success.</param>
public sealed record WebhookReport(int Try, string? Error);
