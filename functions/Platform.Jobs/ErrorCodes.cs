namespace Platform.Jobs;

/// <summary>Stable codes of everything that can go wrong in sight of a user: the <c>code</c> of a problem+json body and of a <see cref="JobFailure"/>.</summary>
public static class ErrorCodes
{
    /// <summary>400: the body is not JSON, or not the JSON that the route takes.</summary>
    public const string InvalidJson = "invalid-json";

    /// <summary>400: a field is missing or out of range; <c>faults</c> names each.</summary>
    public const string InvalidRequest = "invalid-request";

    /// <summary>400: the prompt is empty.</summary>
    public const string PromptEmpty = "prompt-empty";

    /// <summary>400: prompt and requested tokens exceed the model's context.</summary>
    public const string PromptTooLong = "prompt-too-long";

    /// <summary>400: a model folder or manifest lacks a file, or a file is not what it should be.</summary>
    public const string ModelInvalid = "model-invalid";

    /// <summary>404: no such route, or not with this verb.</summary>
    public const string RouteNotFound = "route-not-found";

    /// <summary>404: no such model.</summary>
    public const string ModelNotFound = "model-not-found";

    /// <summary>404: no such job.</summary>
    public const string JobNotFound = "job-not-found";

    /// <summary>404: no such node.</summary>
    public const string NodeNotFound = "node-not-found";

    /// <summary>404: no such blob in the NVMe tier of that node.</summary>
    public const string BlobNotFound = "blob-not-found";

    /// <summary>409: another spec is known under this job id.</summary>
    public const string JobConflict = "job-conflict";

    /// <summary>413: the body is larger than the limit.</summary>
    public const string BodyTooLarge = "body-too-large";

    /// <summary>429: a bound on waiting calls is reached; Retry-After says when to come back.</summary>
    public const string TooManyRequests = "too-many-requests";

    /// <summary>429: as many calls as a node holds wait for this model, which it is loading; Retry-After says when the model is expected to be ready.</summary>
    public const string ModelLoading = "model-loading";

    /// <summary>500: a fault of ours; the log has the details under the trace id.</summary>
    public const string Internal = "internal";

    /// <summary>502: a worker was lost in the middle of the call.</summary>
    public const string WorkerLost = "worker-lost";

    /// <summary>503: no worker is alive, or none can serve the request; the detail has the reason per node.</summary>
    public const string NoWorker = "no-worker";

    /// <summary>503: control, the sidecar or another part is not reachable at present.</summary>
    public const string Unavailable = "unavailable";

    /// <summary>507: a disk or the tier's budget is full.</summary>
    public const string StorageFull = "storage-full";

    /// <summary>Object storage has no such object.</summary>
    public const string ObjectNotFound = "object-not-found";

    /// <summary>An object or blob is not what its manifest or checksum says.</summary>
    public const string DataCorrupt = "data-corrupt";

    /// <summary>The job passed its deadline.</summary>
    public const string DeadlineExceeded = "deadline-exceeded";

    /// <summary>The worker stopped sending heartbeats.</summary>
    public const string LeaseLost = "lease-lost";

    /// <summary>The command ended with another exit code than 0.</summary>
    public const string CommandFailed = "command-failed";

    /// <summary>The command could not be started: no such program, or it may not be run.</summary>
    public const string CommandNotFound = "command-not-found";

    /// <summary>No node's operator allows the kind <c>exec</c>.</summary>
    public const string ExecDisabled = "exec-disabled";

    /// <summary>Scratch or output holds more bytes than the job may write.</summary>
    public const string QuotaExceeded = "quota-exceeded";

    /// <summary>Some indexes of an array job failed.</summary>
    public const string ArrayFailed = "array-failed";

    /// <summary>409: the job has not ended, so it cannot be submitted again.</summary>
    public const string JobNotEnded = "job-not-ended";
}
