using System.Text.Json;

namespace Platform.Local.Sidecar.Http;

/// <summary>What daprd adds to the errors of state and pub/sub: messages of google.rpc, written as JSON.</summary>
/// <param name="Reason">Stable reason, <c>DAPR_...</c>.</param>
internal sealed record DaprErrorDetails(string Reason)
{
    /// <summary>Belongs to the reason.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();

    /// <summary>The resource that the error is about; null: none is named.</summary>
    public (string Type, string Name, string Description)? Resource { get; init; }

    /// <summary>The field of the request that is wrong; null: none is named.</summary>
    public (string Field, string Description)? Violation { get; init; }

    public void Write(Utf8JsonWriter writer)
    {
        writer.WriteStartArray("details"u8);
        writer.WriteStartObject();
        writer.WriteString("@type"u8, "type.googleapis.com/google.rpc.ErrorInfo"u8);
        writer.WriteString("domain"u8, "dapr.io"u8);
        if (Metadata.Count > 0)
        {
            writer.WriteStartObject("metadata"u8);
            foreach (var (name, value) in Metadata)
            {
                writer.WriteString(name, value);
            }

            writer.WriteEndObject();
        }

        writer.WriteString("reason"u8, Reason);
        writer.WriteEndObject();
        if (Resource is { } resource)
        {
            writer.WriteStartObject();
            writer.WriteString("@type"u8, "type.googleapis.com/google.rpc.ResourceInfo"u8);
            writer.WriteString("description"u8, resource.Description);
            writer.WriteString("owner"u8, ""u8);
            writer.WriteString("resource_name"u8, resource.Name);
            writer.WriteString("resource_type"u8, resource.Type);
            writer.WriteEndObject();
        }

        if (Violation is { } violation)
        {
            writer.WriteStartObject();
            writer.WriteString("@type"u8, "type.googleapis.com/google.rpc.BadRequest"u8);
            writer.WriteStartArray("field_violations"u8);
            writer.WriteStartObject();
            writer.WriteString("description"u8, violation.Description);
            writer.WriteString("field"u8, violation.Field);
            writer.WriteEndObject();
            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }
}
