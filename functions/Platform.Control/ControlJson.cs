using System.Text.Json;
using System.Text.Json.Serialization;
using Platform.Control.Jobs;
using Platform.Jobs;

namespace Platform.Control;

/// <summary>JSON of the actors: their arguments and results, which are the contract's, and their saved state, which is ours.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(List<string>))]
[JsonSerializable(typeof(JobSpec))]
[JsonSerializable(typeof(JobStatus))]
[JsonSerializable(typeof(SubmitAnswer))]
[JsonSerializable(typeof(LeaseReport))]
[JsonSerializable(typeof(LeaseAnswer))]
[JsonSerializable(typeof(JobListRequest))]
[JsonSerializable(typeof(JobList))]
[JsonSerializable(typeof(JobSummary))]
[JsonSerializable(typeof(List<JobSummary>))]
[JsonSerializable(typeof(ModelManifest))]
[JsonSerializable(typeof(List<ModelStatus>))]
[JsonSerializable(typeof(EnsureReplicaRequest))]
[JsonSerializable(typeof(ReplicaAnswer))]
[JsonSerializable(typeof(ReleaseAnswer))]
[JsonSerializable(typeof(TidyAnswer))]
[JsonSerializable(typeof(ModelSweep))]
[JsonSerializable(typeof(JobRecord))]
[JsonSerializable(typeof(JobIndexDirectory))]
[JsonSerializable(typeof(List<JobIndexPageRange>))]
[JsonSerializable(typeof(RemovedUsage))]
[JsonSerializable(typeof(UsageRequest))]
[JsonSerializable(typeof(UsageTable))]
[JsonSerializable(typeof(ChildReport))]
[JsonSerializable(typeof(WebhookReport))]
[JsonSerializable(typeof(PrefetchRequest))]
[JsonSerializable(typeof(MissingObjects))]
internal sealed partial class ControlJson : JsonSerializerContext;
