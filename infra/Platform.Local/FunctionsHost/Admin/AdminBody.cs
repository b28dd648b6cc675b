using System.Text.Json;

namespace Platform.Local.FunctionsHost.Admin;

/// <summary>Reads the JSON that an admin path takes.</summary>
internal static class AdminBody
{
    /// <exception cref="JsonException">The body is no JSON.</exception>
    public static async Task<JsonElement> ReadAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        using var document = LenientJson.Parse(body.ToArray());
        return document.RootElement.Clone();
    }

    /// <summary>The text of a member of an object: a string as it is, anything else as its JSON; null if there is none.</summary>
    public static string? Text(this JsonElement body, string member) =>
        body.ValueKind == JsonValueKind.Object && body.TryGetProperty(member, out var value) && value.ValueKind != JsonValueKind.Null ? value.ToString() : null;
}
