using System.Text.Json;
using Platform.Local.Sidecar.Http;

namespace Platform.Local.Sidecar.Absent;

/// <summary>Bodies that daprd reads as protobuf's JSON: an object, or nothing at all; unknown fields are ignored, names count in both spellings and exactly.</summary>
internal static class ProtoJson
{
    /// <summary>The body; null if it is empty.</summary>
    /// <exception cref="DaprErrorException">400: it is too large, or no JSON object.</exception>
    public static async Task<JsonElement?> ReadAsync(HttpContext context, long maxBodyBytes)
    {
        try
        {
            var body = await RequestBody.ReadAsync(context, maxBodyBytes);
            if (body.IsEmpty)
            {
                return null;
            }

            using var json = JsonDocument.Parse(body);
            return json.RootElement.ValueKind == JsonValueKind.Object
                ? json.RootElement.Clone()
                : throw new JsonException($"unexpected token {json.RootElement.GetRawText()}");
        }
        catch (BodyTooLargeException e)
        {
            throw new DaprErrorException(400, "ERR_BODY_READ", "failed to read request body: " + e.Message, e);
        }
        catch (JsonException e)
        {
            throw new DaprErrorException(DaprError.Malformed(e.Message), e);
        }
    }

    /// <summary>A field under its name in lowerCamelCase or in snake_case; null if it is absent.</summary>
    public static JsonElement? Find(JsonElement? body, string camel, string snake) =>
        body is { } found && (found.TryGetProperty(camel, out var value) || found.TryGetProperty(snake, out value)) ? value : null;
}
