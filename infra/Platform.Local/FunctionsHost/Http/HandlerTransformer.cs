using Platform.Local.FunctionsHost.Invocations;
using Yarp.ReverseProxy.Forwarder;

namespace Platform.Local.FunctionsHost.Http;

/// <summary>Passes a request on as it is, plus the headers by which the handler knows its host.</summary>
internal sealed class HandlerTransformer(string? path) : HttpTransformer
{
    public override async ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
    {
        await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
        if (path is not null)
        {
            proxyRequest.RequestUri = new Uri(destinationPrefix + path + httpContext.Request.QueryString);
        }

        var invocationId = httpContext.TraceIdentifier;
        Set(proxyRequest, HostHeaders.InvocationId, invocationId);
        Set(proxyRequest, HostHeaders.Correlation, invocationId);
        Set(proxyRequest, HostHeaders.HostVersion, HostHeaders.ContractVersion);
    }

    private static void Set(HttpRequestMessage request, string name, string value)
    {
        request.Headers.Remove(name);
        request.Headers.TryAddWithoutValidation(name, value);
    }
}
