using System.Text;
using System.Text.Json;
using System.Text.Unicode;

namespace Platform.Local;

/// <summary>Parses JSON as Go and Newtonsoft do where they are more patient than .NET: text that is no Unicode becomes U+FFFD and is no error.</summary>
/// <remarks>Half a surrogate pair is nothing odd: it is what JavaScript writes of a string that was cut in the middle of an emoji.</remarks>
internal static class LenientJson
{
    /// <summary>The document; the caller disposes it.</summary>
    /// <exception cref="JsonException">It is no JSON.</exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> json)
    {
        if (!Utf8.IsValid(json.Span))
        {
            json = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(json.Span));
        }

        return JsonDocument.Parse(json.Span.IndexOf("\\u"u8) < 0 ? json : WholeSurrogates(json));
    }

    /// <summary>The same with each escape of half a pair replaced.</summary>
    private static ReadOnlyMemory<byte> WholeSurrogates(ReadOnlyMemory<byte> json)
    {
        var source = json.Span;
        byte[]? copy = null;
        for (var i = 0; i < source.Length - 1; i++)
        {
            if (source[i] != '\\')
            {
                continue;
            }

            var unit = UnitAt(source, i);
            if (unit is { } high && char.IsHighSurrogate(high) && UnitAt(source, i + 6) is { } low && char.IsLowSurrogate(low))
            {
                i += 11; // A whole pair.
            }
            else if (unit is { } half && char.IsSurrogate(half))
            {
                copy ??= source.ToArray();
                "\\ufffd"u8.CopyTo(copy.AsSpan(i));
                i += 5;
            }
            else
            {
                i++; // Whatever is escaped is not the beginning of another escape.
            }
        }

        return copy ?? json;
    }

    /// <summary>The UTF-16 unit of the escape at a place; null if there is none.</summary>
    private static char? UnitAt(ReadOnlySpan<byte> json, int at) =>
        at + 6 <= json.Length && json[at] == '\\' && json[at + 1] == 'u' && ushort.TryParse(json.Slice(at + 2, 4), System.Globalization.NumberStyles.AllowHexSpecifier, null, out var unit) ? (char)unit : null;
}
