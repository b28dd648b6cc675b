using System.Text;
using System.Text.Json;

namespace Platform.Local.FunctionsHost.Invocations;

/// <summary>Turns an output of the handler into queue messages, with the conversions that hosts apply.</summary>
internal static class OutputValue
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>
    /// An array is one message per element, an object its JSON text, null nothing. A string that is valid base64 is decoded, unless the binding has
    /// <c>dataType: binary</c>; one that looks like JSON is parsed first, so that a list is split and an object is written again, indented.
    /// </summary>
    public static IReadOnlyList<byte[]> ToMessages(JsonElement value, bool isBinary)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Null or JsonValueKind.Undefined:
                return [];
            case JsonValueKind.Array:
                return [.. value.EnumerateArray().Select(element => Encoding.UTF8.GetBytes(Text(element)))];
            case JsonValueKind.String:
                return FromString(value.GetString()!, isBinary);
            default:
                return [Encoding.UTF8.GetBytes(Text(value))];
        }
    }

    /// <summary>The bytes of a string that hosts take for base64; null if it is not.</summary>
    public static byte[]? FromBase64(string text)
    {
        var bytes = new byte[(text.Length / 4 * 3) + 3];
        return text.Length > 0 && Convert.TryFromBase64String(text, bytes, out var written) ? bytes[..written] : null;
    }

    private static IReadOnlyList<byte[]> FromString(string text, bool isBinary)
    {
        if (!isBinary && FromBase64(text) is { } bytes)
        {
            return [bytes];
        }

        if (LooksLikeJson(text))
        {
            try
            {
                using var document = LenientJson.Parse(Encoding.UTF8.GetBytes(text));
                return document.RootElement.ValueKind == JsonValueKind.Array
                    ? ToMessages(document.RootElement, isBinary)
                    : [Encoding.UTF8.GetBytes(JsonSerializer.Serialize(document.RootElement, Indented))];
            }
            catch (JsonException)
            {
                // A plain text with a brace in front.
            }
        }

        return [Encoding.UTF8.GetBytes(text)];
    }

    private static bool LooksLikeJson(string text) => text.AsSpan().Trim() is ['{', .., '}'] or ['[', .., ']'];

    private static string Text(JsonElement value) => value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();
}
