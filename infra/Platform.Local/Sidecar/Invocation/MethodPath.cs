using System.Buffers;
using System.Text;
using Platform.Local.Sidecar.Http;

namespace Platform.Local.Sidecar.Invocation;

/// <summary>The path at the callee: checked, without dot segments, encoded again.</summary>
internal static class MethodPath
{
    private static readonly SearchValues<char> Refused = SearchValues.Create("#?\0\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\f\r\u000e\u000f\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f\u007f");
    private static readonly SearchValues<char> Plain = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/");

    /// <summary>Encodes a decoded path. No leading slash.</summary>
    /// <exception cref="DaprErrorException">It has a character that no path may hold.</exception>
    public static string Encode(string method)
    {
        if (method.AsSpan().ContainsAny(Refused))
        {
            throw new DaprErrorException(400, "ERR_DIRECT_INVOKE", $"invalid method name '{method.ReplaceLineEndings(" ")}': '#', '?' and control characters are not allowed");
        }

        var clean = method.Contains("/.", StringComparison.Ordinal) || method.StartsWith('.') ? Clean(method) : method;
        if (!clean.AsSpan().ContainsAnyExcept(Plain))
        {
            return clean;
        }

        var text = new StringBuilder(clean.Length + 16);
        foreach (var value in Encoding.UTF8.GetBytes(clean))
        {
            if (Plain.Contains((char)value))
            {
                text.Append((char)value);
            }
            else
            {
                text.Append('%').Append(value.ToString("X2"));
            }
        }

        return text.ToString();
    }

    /// <summary>Resolves dot segments within the root; nothing climbs out of it.</summary>
    private static string Clean(string method)
    {
        var segments = new List<string>();
        foreach (var segment in method.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (segment == "..")
            {
                segments.RemoveRange(Math.Max(0, segments.Count - 1), Math.Min(1, segments.Count));
            }
            else if (segment != ".")
            {
                segments.Add(segment);
            }
        }

        return string.Join('/', segments);
    }
}
