using System.Diagnostics;

namespace Platform.Local.Sidecar.Http;

/// <summary>W3C trace context of one request: an incoming trace is continued with a span of the sidecar's own, else one is begun.</summary>
internal static class TraceContext
{
    public const string Header = "traceparent";

    /// <summary>The trace to hand on. Begun traces are not sampled, as with daprd's default rate.</summary>
    public static string Of(HttpContext context)
    {
        var incoming = context.Request.Headers.TraceParent.ToString();
        var span = ActivitySpanId.CreateRandom().ToHexString();
        return IsValid(incoming)
            ? string.Concat(incoming.AsSpan(0, 36), span, incoming.AsSpan(52, 3))
            : $"00-{ActivityTraceId.CreateRandom().ToHexString()}-{span}-00";
    }

    /// <summary><c>00-{32 hex}-{16 hex}-{2 hex}</c>.</summary>
    private static bool IsValid(string value)
    {
        if (value.Length != 55 || value[2] != '-' || value[35] != '-' || value[52] != '-' || value.StartsWith("ff", StringComparison.Ordinal))
        {
            return false;
        }

        for (var i = 0; i < value.Length; i++)
        {
            if (i is not (2 or 35 or 52) && !char.IsAsciiHexDigitLower(value[i]))
            {
                return false;
            }
        }

        return true;
    }
}
