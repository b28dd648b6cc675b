namespace Platform.Jobs;

/// <summary>Routes between our own programs, all called through Dapr service invocation. The public routes are the functions' own.</summary>
public static class Routes
{
    /// <summary>Control: <c>POST</c> a <see cref="NodeHeartbeat"/>; 204.</summary>
    public const string ControlHeartbeat = "nodes/heartbeat";

    /// <summary>Control: <c>GET</c> the <see cref="NodeTable"/>.</summary>
    public const string ControlNodes = "nodes";

    /// <summary>Worker: <c>POST</c> an OpenAI completion request; the model loads first if it must. SSE if <c>stream</c>.</summary>
    public const string WorkerCompletions = "v1/completions";

    /// <summary>Worker: <c>POST</c> an OpenAI chat completion request.</summary>
    public const string WorkerChatCompletions = "v1/chat/completions";

    /// <summary>Worker: <c>POST</c> an inference request of the Open Inference Protocol v2, JSON or JSON with binary tensor data.</summary>
    public static string WorkerInfer(string model) => $"v2/models/{model}/infer";

    /// <summary>Worker: <c>POST</c> a request of the protocol's extension for texts.</summary>
    public static string WorkerGenerate(string model) => $"v2/models/{model}/generate";

    /// <summary>Worker: as <see cref="WorkerGenerate"/>, answered as SSE.</summary>
    public static string WorkerGenerateStream(string model) => $"v2/models/{model}/generate_stream";

    /// <summary>The version that every published model has under the Open Inference Protocol: a new publication takes the place of the old.</summary>
    public const string InferenceModelVersion = "1";

    /// <summary>Header of the protocol's binary extension: bytes of JSON before the binary tensor data.</summary>
    public const string InferenceHeaderLength = "Inference-Header-Content-Length";

    /// <summary>Worker: <c>PUT</c> a <see cref="ModelManifest"/> at <c>models/{name}</c> to load it; 202 at once, or 200 when ready with <c>?wait=true</c>. <c>DELETE</c> drops it from memory and tier.</summary>
    public static string WorkerModel(string model) => $"models/{model}";

    /// <summary>Worker: <c>POST</c> with <c>?idle=</c> seconds takes a model out of memory if it has not been used for that long; answered by a <see cref="ReleaseAnswer"/>.</summary>
    public static string WorkerModelRelease(string model) => $"models/{model}/release";

    /// <summary>Worker: <c>POST</c> deletes results and parts that the attempts of an ended job left, but for the result of <c>?keep=</c> token; answered by a <see cref="TidyAnswer"/>.</summary>
    public static string WorkerTidyJob(string jobId) => $"jobs/{jobId}/tidy";

    /// <summary>Worker: <c>POST</c> puts a model to sleep: <c>?level=host</c> (the default) keeps its weights in host memory, <c>?level=process</c> on NVMe alone. The next call, or a <c>PUT</c>, wakes it. 204.</summary>
    public static string WorkerModelSleep(string model) => $"models/{model}/sleep";

    /// <summary>Worker: <c>POST</c> a <see cref="RunJobRequest"/>.</summary>
    public const string WorkerRunJob = "jobs/run";

    /// <summary>Worker: <c>POST</c> a <see cref="PrefetchRequest"/>; answered by <see cref="MissingObjects"/>.</summary>
    public const string WorkerPrefetch = "jobs/prefetch";

    /// <summary>Worker: <c>DELETE</c> everything that a job has in object storage, after its time to live.</summary>
    public static string WorkerForgetJob(string jobId) => $"jobs/{jobId}";

    /// <summary>Worker: <c>GET</c> the log of an attempt as text, from <c>?offset=</c>.</summary>
    public static string WorkerJobLog(string jobId, int attempt) => $"jobs/{jobId}/logs/{attempt}";

    /// <summary>Worker: <c>GET</c> what the NVMe tier holds.</summary>
    public const string WorkerTier = "tier";

    /// <summary>Worker: <c>GET</c> why a key is, or is not, in the NVMe tier: <c>?key=</c>.</summary>
    public const string WorkerTierExplain = "tier/explain";

    /// <summary>Worker: <c>POST</c> compares a blob of the NVMe tier with its checksums: <c>?key=</c>, and <c>&amp;repair=true</c> to fetch damaged chunks again. 404 if it is not here.</summary>
    public const string WorkerTierVerify = "tier/verify";

    /// <summary>Worker: <c>PUT</c> pins a key in the NVMe tier, <c>DELETE</c> ends its pin: <c>?key=</c>.</summary>
    public const string WorkerTierPin = "tier/pin";

    /// <summary>Header with the <see cref="ModelManifest"/> as base64 JSON, which lets a worker that never heard of the model load it for this very call.</summary>
    public const string ManifestHeader = "platform-model-manifest";

    /// <summary>Response header: bytes that this call waited for from object storage.</summary>
    public const string ObjectStoreBytesHeader = "platform-object-store-bytes";

    /// <summary>Response header: bytes that this call waited for from the NVMe tier.</summary>
    public const string NvmeBytesHeader = "platform-nvme-bytes";

    /// <summary>Response header: the worker that answered.</summary>
    public const string WorkerHeader = "platform-worker";
}
