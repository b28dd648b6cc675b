using System.Text.Json;
using System.Text.Json.Serialization;
using Platform.Dapr.Actors;

namespace Platform.Dapr;

/// <summary>JSON of the sidecar's own requests and answers.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(BulkGetRequest))]
[JsonSerializable(typeof(List<BulkGetItem>))]
[JsonSerializable(typeof(BulkPublishAnswer))]
[JsonSerializable(typeof(DaprMetadata))]
[JsonSerializable(typeof(ActorRuntimeConfig))]
[JsonSerializable(typeof(ActorCallback))]
[JsonSerializable(typeof(ActorSchedule))]
[JsonSerializable(typeof(ActorError))]
[JsonSerializable(typeof(string))]
[JsonSerializable(typeof(bool))]
[JsonSerializable(typeof(int))]
[JsonSerializable(typeof(long))]
[JsonSerializable(typeof(double))]
[JsonSerializable(typeof(byte[]))]
[JsonSerializable(typeof(DateTimeOffset))]
[JsonSerializable(typeof(TimeSpan))]
[JsonSerializable(typeof(Guid))]
[JsonSerializable(typeof(JsonElement))]
internal sealed partial class DaprJson : JsonSerializerContext;

internal sealed record BulkGetRequest(IReadOnlyList<string> Keys, int Parallelism);

internal sealed record BulkGetItem(string Key, JsonElement? Data, string? ETag, string? Error);
