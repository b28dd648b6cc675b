using System.Net.Http.Headers;
using Microsoft.Extensions.Primitives;
using Platform.Local.FunctionsHost.Invocations;

namespace Platform.Local.FunctionsHost.Http;

/// <summary>Which headers cross the host: everything but those of one hop (RFC 9110, section 7.6.1), plus those by which the handler knows its host.</summary>
internal static class PassedOnHeaders
{
    public static void Copy(HttpContext context, HttpRequestMessage request)
    {
        foreach (var (name, values) in context.Request.Headers)
        {
            if (IsOfOneHop(name) || IsHosts(name) || name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            if (!Add(request.Headers, name, values))
            {
                // A header that describes a body, which may be there without one.
                request.Content ??= new ByteArrayContent([]);
                Add(request.Content.Headers, name, values);
            }
        }

        request.Headers.TryAddWithoutValidation(HostHeaders.InvocationId, context.TraceIdentifier);
        request.Headers.TryAddWithoutValidation(HostHeaders.Correlation, context.TraceIdentifier);
        request.Headers.TryAddWithoutValidation(HostHeaders.HostVersion, HostHeaders.ContractVersion);
    }

    public static void Copy(HttpResponseMessage response, HttpResponse answer)
    {
        Copy(response.Headers, answer.Headers);
        Copy(response.Content.Headers, answer.Headers);
    }

    private static void Copy(HttpHeaders headers, IHeaderDictionary answer)
    {
        foreach (var (name, values) in headers.NonValidated)
        {
            if (!IsOfOneHop(name))
            {
                answer[name] = values.Count == 1 ? values.ToString() : new StringValues([.. values]);
            }
        }
    }

    private static bool Add(HttpHeaders headers, string name, StringValues values) =>
        values.Count == 1 ? headers.TryAddWithoutValidation(name, values[0]) : headers.TryAddWithoutValidation(name, (IEnumerable<string?>)values);

    /// <summary>Ours take the place of the caller's.</summary>
    private static bool IsHosts(string name) => name.StartsWith('x') || name.StartsWith('X')
        ? name.Equals(HostHeaders.InvocationId, StringComparison.OrdinalIgnoreCase) || name.Equals(HostHeaders.Correlation, StringComparison.OrdinalIgnoreCase) || name.Equals(HostHeaders.HostVersion, StringComparison.OrdinalIgnoreCase)
        : name.Equals("Expect", StringComparison.OrdinalIgnoreCase);

    private static bool IsOfOneHop(string name) => name.Length switch
    {
        2 => name.Equals("TE", StringComparison.OrdinalIgnoreCase),
        7 => name.Equals("Trailer", StringComparison.OrdinalIgnoreCase) || name.Equals("Upgrade", StringComparison.OrdinalIgnoreCase),
        10 => name.Equals("Connection", StringComparison.OrdinalIgnoreCase) || name.Equals("Keep-Alive", StringComparison.OrdinalIgnoreCase),
        16 => name.Equals("Proxy-Connection", StringComparison.OrdinalIgnoreCase),
        17 => name.Equals("Transfer-Encoding", StringComparison.OrdinalIgnoreCase),
        _ => false,
    };
}
