using System.Buffers;
using System.Diagnostics;

namespace Platform.Local.Sidecar.Http;

/// <summary>W3C trace context of one request: an incoming trace is continued with a span of the sidecar's own, else one is begun.</summary>
internal static class TraceContext
{
    public const string Header = "traceparent";
    private static readonly SearchValues<char> NoKey = SearchValues.Create(" \t\"(),/:;<=>?@[]{}\\");
    private static readonly SearchValues<char> NoValue = SearchValues.Create(" \"\\");

    /// <summary>Begins the request's span: the caller is told of it, and whatever goes on from here carries it. Begun traces are not sampled, as with daprd's default rate.</summary>
    public static string Begin(HttpContext context)
    {
        var incoming = context.Request.Headers.TraceParent.ToString();
        var span = ActivitySpanId.CreateRandom().ToHexString();
        var trace = IsValid(incoming)
            ? string.Concat(incoming.AsSpan(0, 36), span, incoming.AsSpan(52, 3))
            : $"00-{ActivityTraceId.CreateRandom().ToHexString()}-{span}-00";
        context.Response.Headers.TraceParent = trace;
        return trace;
    }

    /// <summary>The trace to hand on.</summary>
    public static string Of(HttpContext context) => context.Response.Headers.TraceParent is [{ } begun] ? begun : Begin(context);

    /// <summary>Whether a <c>baggage</c> header can be read (W3C Baggage, section 3.2): members of the form <c>key=value</c>, with properties behind semicolons.</summary>
    public static bool IsBaggage(string value)
    {
        foreach (var member in value.AsSpan().Split(','))
        {
            var pair = value.AsSpan(member);
            var properties = pair.IndexOf(';');
            pair = (properties < 0 ? pair : pair[..properties]).Trim();
            var mark = pair.IndexOf('=');
            if (mark <= 0 || pair[..mark].Trim().ContainsAny(NoKey) || pair[(mark + 1)..].Trim().ContainsAny(NoValue))
            {
                return false;
            }
        }

        return true;
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
