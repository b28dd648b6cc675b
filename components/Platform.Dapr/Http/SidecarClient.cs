using System.Net;

namespace Platform.Dapr.Http;

/// <summary>The one connection pool to the sidecar: token, trace context, no surprises of a general HTTP client.</summary>
/// <remarks>The W3C trace context of the current activity is sent by the handler itself. Thread-safe.</remarks>
internal sealed class SidecarClient : IDisposable
{
    private readonly HttpMessageInvoker _invoker;
    private readonly DaprOptions _options;

    public SidecarClient(DaprOptions options)
        : this(options, new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = TimeSpan.FromSeconds(5),
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2),
            Expect100ContinueTimeout = TimeSpan.Zero,
        })
    {
    }

    /// <summary>Sends through <paramref name="handler"/>, for instance to a sidecar in memory.</summary>
    internal SidecarClient(DaprOptions options, HttpMessageHandler handler)
    {
        _options = options;
        _invoker = new HttpMessageInvoker(handler);
    }

    public Uri AddressOf(string path) => new(_options.HttpEndpoint, path);

    /// <summary>Completes when the response headers are here; the body streams.</summary>
    /// <exception cref="HttpRequestException">The sidecar did not answer.</exception>
    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (_options.ApiToken is { } token)
        {
            request.Headers.Remove(DaprHeaders.ApiToken);
            request.Headers.TryAddWithoutValidation(DaprHeaders.ApiToken, token);
        }

        if (Reentrancy.CurrentId is { } id && !request.Headers.Contains(DaprHeaders.ReentrancyId))
        {
            request.Headers.TryAddWithoutValidation(DaprHeaders.ReentrancyId, id);
        }

        return _invoker.SendAsync(request, cancellationToken);
    }

    public void Dispose() => _invoker.Dispose();
}
