using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Platform.Local.Sidecar.Http;

/// <summary>JSON as Go's encoder writes what its decoder read into untyped values, which is what daprd stores: compact, object keys sorted, every number a
/// 64-bit float, <c>&lt; &gt; &amp;</c> escaped. Property lookup ignores case, as Go's decoder does.</summary>
internal static class GoJson
{
    private static readonly SearchValues<char> Escaped = SearchValues.Create("\"\\<>&\u2028\u2029\0\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f");

    public static byte[] Rewrite(JsonElement value)
    {
        var text = new StringBuilder();
        Write(text, value);
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    /// <summary>The last property of that name, in any case; an exact match wins. Null if there is none.</summary>
    public static JsonElement? Find(JsonElement element, string name)
    {
        JsonElement? found = null;
        if (element.ValueKind == JsonValueKind.Object)
        {
            foreach (var property in element.EnumerateObject())
            {
                if (string.Equals(property.Name, name, StringComparison.OrdinalIgnoreCase))
                {
                    found = property.Value;
                }
            }
        }

        return found;
    }

    /// <summary>A string property; null if it is absent or JSON null.</summary>
    /// <exception cref="JsonException">It is something else.</exception>
    public static string? FindString(JsonElement element, string name) => Find(element, name) switch
    {
        null or { ValueKind: JsonValueKind.Null } => null,
        { ValueKind: JsonValueKind.String } text => text.GetString(),
        { } other => throw new JsonException($"json: cannot unmarshal {KindOf(other)} into field {name} of type string"),
    };

    /// <summary>A map of strings to strings; empty if it is absent or JSON null.</summary>
    /// <exception cref="JsonException">It is something else.</exception>
    public static Dictionary<string, string> FindMap(JsonElement element, string name)
    {
        var map = new Dictionary<string, string>(StringComparer.Ordinal);
        if (Find(element, name) is { ValueKind: not JsonValueKind.Null } found)
        {
            if (found.ValueKind != JsonValueKind.Object)
            {
                throw new JsonException($"json: cannot unmarshal {KindOf(found)} into field {name} of type map[string]string");
            }

            foreach (var property in found.EnumerateObject())
            {
                map[property.Name] = property.Value.ValueKind == JsonValueKind.String
                    ? property.Value.GetString()!
                    : throw new JsonException($"json: cannot unmarshal {KindOf(property.Value)} into field {name}.{property.Name} of type string");
            }
        }

        return map;
    }

    private static string KindOf(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => "object",
        JsonValueKind.Array => "array",
        JsonValueKind.Number => "number",
        JsonValueKind.True or JsonValueKind.False => "bool",
        _ => "string",
    };

    private static void Write(StringBuilder text, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                WriteObject(text, value);
                break;
            case JsonValueKind.Array:
                var first = true;
                text.Append('[');
                foreach (var item in value.EnumerateArray())
                {
                    text.Append(first ? "" : ",");
                    first = false;
                    Write(text, item);
                }

                text.Append(']');
                break;
            case JsonValueKind.String:
                WriteString(text, value.GetString()!);
                break;
            case JsonValueKind.Number:
                WriteNumber(text, value.GetDouble());
                break;
            default:
                text.Append(value.GetRawText());
                break;
        }
    }

    private static void WriteObject(StringBuilder text, JsonElement value)
    {
        var members = new SortedDictionary<string, JsonElement>(Utf8Order.Instance);
        foreach (var property in value.EnumerateObject())
        {
            members[property.Name] = property.Value;
        }

        var first = true;
        text.Append('{');
        foreach (var (name, member) in members)
        {
            text.Append(first ? "" : ",");
            first = false;
            WriteString(text, name);
            text.Append(':');
            Write(text, member);
        }

        text.Append('}');
    }

    private static void WriteString(StringBuilder text, string value)
    {
        text.Append('"');
        var rest = value.AsSpan();
        while (rest.IndexOfAny(Escaped) is var at and >= 0)
        {
            text.Append(rest[..at]);
            text.Append(rest[at] switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '\b' => "\\b",
                '\f' => "\\f",
                var other => $"\\u{(int)other:x4}",
            });
            rest = rest[(at + 1)..];
        }

        text.Append(rest).Append('"');
    }

    /// <summary>Go's float64 format: the shortest digits that read back; with an exponent below 1e-6 and from 1e21 on.</summary>
    private static void WriteNumber(StringBuilder text, double value)
    {
        var shortest = value.ToString("R", CultureInfo.InvariantCulture);
        if (shortest.StartsWith('-'))
        {
            text.Append('-');
            shortest = shortest[1..];
        }

        var mark = shortest.IndexOf('E', StringComparison.Ordinal);
        var mantissa = mark < 0 ? shortest : shortest[..mark];
        var point = mantissa.IndexOf('.', StringComparison.Ordinal);
        var whole = point < 0 ? mantissa : mantissa[..point];
        var exponent = (mark < 0 ? 0 : int.Parse(shortest.AsSpan(mark + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture)) + whole.Length - 1;
        var digits = mantissa.Replace(".", "", StringComparison.Ordinal);
        var leading = digits.Length - digits.TrimStart('0').Length;
        digits = digits.TrimStart('0').TrimEnd('0');
        exponent -= leading;
        switch (digits.Length)
        {
            case 0:
                text.Append('0');
                break;
            case var _ when exponent is < -6 or >= 21:
                text.Append(digits[0]).Append(digits.Length > 1 ? "." : "").Append(digits.AsSpan(1)).Append('e').Append(exponent < 0 ? '-' : '+').Append(Math.Abs(exponent));
                break;
            case var _ when exponent < 0:
                text.Append("0.").Append('0', -exponent - 1).Append(digits);
                break;
            case var count when count <= exponent + 1:
                text.Append(digits).Append('0', exponent + 1 - count);
                break;
            default:
                text.Append(digits.AsSpan(0, exponent + 1)).Append('.').Append(digits.AsSpan(exponent + 1));
                break;
        }
    }

    /// <summary>Go sorts keys by their UTF-8 bytes, which differs from UTF-16 order beyond the basic plane.</summary>
    private sealed class Utf8Order : IComparer<string>
    {
        public static readonly Utf8Order Instance = new();

        public int Compare(string? x, string? y) => Encoding.UTF8.GetBytes(x!).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(y!));
    }
}
