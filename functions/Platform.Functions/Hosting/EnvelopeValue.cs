using System.Text;
using System.Text.Json;

namespace Platform.Functions.Hosting;

/// <summary>Reads values of the custom-handler envelope, whichever way the host encoded them.</summary>
/// <remarks>Hosts write everything but objects as a string that holds JSON text (so a queue text <c>hello</c> is <c>"\"hello\""</c>); the documentation shows plain values. Both are understood: a string that is JSON is parsed once.</remarks>
internal static class EnvelopeValue
{
    /// <summary>The value without the extra layer of encoding.</summary>
    public static JsonElement Unwrap(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.String)
        {
            return value;
        }

        try
        {
            using var inner = JsonDocument.Parse(value.GetString()!);
            return inner.RootElement.Clone();
        }
        catch (JsonException)
        {
            return value;
        }
    }

    /// <summary>The value as text: a string as it is, anything else as its JSON.</summary>
    public static string Text(JsonElement value)
    {
        var unwrapped = Unwrap(value);
        return unwrapped.ValueKind == JsonValueKind.String ? unwrapped.GetString()! : unwrapped.GetRawText();
    }

    /// <summary>The value as a <paramref name="type"/>. A string that holds the JSON of an object or array is read as that.</summary>
    /// <exception cref="JsonException">The text is not the JSON of a <paramref name="type"/>.</exception>
    public static object? Read(JsonElement value, Type type, JsonSerializerOptions json)
    {
        if (type == typeof(string))
        {
            return Text(value);
        }

        if (type == typeof(byte[]))
        {
            // function.json asks for bytes (dataType: binary), which hosts send as base64.
            var text = Text(value);
            var bytes = new byte[text.Length];
            return Convert.TryFromBase64String(text, bytes, out var length) ? bytes[..length] : Encoding.UTF8.GetBytes(text);
        }

        var unwrapped = Unwrap(value);
        if (unwrapped.ValueKind == JsonValueKind.String && !type.IsPrimitive && Nullable.GetUnderlyingType(type) is null)
        {
            var inner = unwrapped.GetString()!;
            if (inner.AsSpan().TrimStart() is ['{', ..] or ['[', ..])
            {
                return JsonSerializer.Deserialize(inner, type, json);
            }
        }

        return unwrapped.Deserialize(type, json);
    }
}
