using System.Text.Json;
using System.Text.Json.Serialization;

namespace Platform.Jobs;

/// <summary>JSON of the contract: camelCase, nulls left out, enums by name; generated, so that no reflection runs on the hot path.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(JobSpec))]
[JsonSerializable(typeof(JobMessage))]
[JsonSerializable(typeof(JobStatus))]
[JsonSerializable(typeof(JobList))]
[JsonSerializable(typeof(JobListRequest))]
[JsonSerializable(typeof(JobSummary))]
[JsonSerializable(typeof(List<JobSummary>))]
[JsonSerializable(typeof(RunJobRequest))]
[JsonSerializable(typeof(LeaseReport))]
[JsonSerializable(typeof(LeaseAnswer))]
[JsonSerializable(typeof(SubmitAnswer))]
[JsonSerializable(typeof(ModelManifest))]
[JsonSerializable(typeof(List<ModelManifest>))]
[JsonSerializable(typeof(ModelStatus))]
[JsonSerializable(typeof(List<ModelStatus>))]
[JsonSerializable(typeof(NodeHeartbeat))]
[JsonSerializable(typeof(NodeTable))]
[JsonSerializable(typeof(PlatformStatus))]
[JsonSerializable(typeof(TierTable))]
[JsonSerializable(typeof(TierReason))]
[JsonSerializable(typeof(TierVerification))]
[JsonSerializable(typeof(TierPin))]
[JsonSerializable(typeof(EnsureReplicaRequest))]
[JsonSerializable(typeof(ReplicaAnswer))]
[JsonSerializable(typeof(Problem))]
[JsonSerializable(typeof(InferenceError))]
[JsonSerializable(typeof(ReleaseAnswer))]
[JsonSerializable(typeof(TidyAnswer))]
[JsonSerializable(typeof(ModelSweep))]
public sealed partial class JobsJson : JsonSerializerContext;
