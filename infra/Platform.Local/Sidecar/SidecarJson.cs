using System.Text.Json.Serialization;
using Platform.Local.Sidecar.Actors;
using Platform.Local.Sidecar.Peers;

namespace Platform.Local.Sidecar;

/// <summary>JSON of what the sidecars keep on disk.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(PeerEntry))]
[JsonSerializable(typeof(Reminder))]
internal sealed partial class SidecarJson : JsonSerializerContext;
