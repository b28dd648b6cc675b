using System.Net.Http.Headers;
using Microsoft.Extensions.Primitives;
using Platform.Local.Sidecar.Peers;

namespace Platform.Local.Sidecar.Http;

/// <summary>Which headers cross a proxy: everything but those of one hop (RFC 9110, section 7.6.1) and those that are the sidecar's own.</summary>
internal static class ForwardedHeaders
{
    private static readonly HashSet<string> Hop = new(StringComparer.OrdinalIgnoreCase)
    {
        "Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
    };

    private static readonly HashSet<string> Own = new(StringComparer.OrdinalIgnoreCase)
    {
        "Host", "Content-Length", "Expect", "dapr-api-token", "dapr-app-id", "dapr-caller-app-id", "dapr-caller-namespace", "dapr-callee-app-id", PeerRegistry.SecretHeader, PeerRegistry.CallerHeader, TraceContext.Header,
    };

    /// <summary>Copies a request's headers to the request that goes on.</summary>
    public static void Copy(HttpContext context, HttpRequestMessage request)
    {
        var named = NamedBy(context.Request.Headers.Connection);
        foreach (var (name, values) in context.Request.Headers)
        {
            if (Hop.Contains(name) || Own.Contains(name) || named?.Contains(name) == true)
            {
                continue;
            }

            if (!Add(request.Headers, name, values) && request.Content is { } content)
            {
                Add(content.Headers, name, values);
            }
        }

        request.Headers.TryAddWithoutValidation(TraceContext.Header, TraceContext.Of(context));
    }

    /// <summary>Copies an answer's headers to the answer that goes back.</summary>
    public static void Copy(HttpResponseMessage response, HttpResponse answer)
    {
        Copy(response.Headers, answer);
        Copy(response.Content.Headers, answer);
    }

    /// <inheritdoc cref="Copy(HttpResponseMessage, HttpResponse)"/>
    public static void Copy(HttpHeaders headers, HttpResponse answer)
    {
        var named = headers.NonValidated.TryGetValues("Connection", out var connection) ? NamedBy(connection.ToString()) : null;
        foreach (var (name, values) in headers.NonValidated)
        {
            if (!Hop.Contains(name) && named?.Contains(name) != true)
            {
                answer.Headers[name] = values.Count == 1 ? values.ToString() : new StringValues([.. values]);
            }
        }
    }

    private static bool Add(HttpHeaders headers, string name, StringValues values) =>
        values.Count == 1 ? headers.TryAddWithoutValidation(name, values[0]) : headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);

    private static HashSet<string>? NamedBy(StringValues connection)
    {
        if (connection.Count == 0 || (connection.Count == 1 && connection[0] is "keep-alive" or "Keep-Alive" or "close"))
        {
            return null;
        }

        return new HashSet<string>(connection.SelectMany(value => (value ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)), StringComparer.OrdinalIgnoreCase);
    }
}
