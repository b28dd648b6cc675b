using System.Net;

namespace Platform.Dapr.Http;

/// <summary>The one connection pool to the sidecar: token, trace context, no surprises of a general HTTP client.</summary>
/// <remarks>The W3C trace context of the current activity is sent by the handler itself. Thread-safe.</remarks>
internal sealed class SidecarClient : IDisposable
{
    private static readonly UriCreationOptions AsIs = new() { DangerousDisablePathAndQueryCanonicalization = true };
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

    /// <summary>Address of a path of the API, whose names are escaped (<see cref="PathSegment"/>): it is sent as it is.</summary>
    public Uri AddressOf(string path) => new(Root + path, AsIs);

    /// <summary>Address of an app's method, which is a path with perhaps a query.</summary>
    /// <exception cref="ArgumentException">The method climbs out of the app: with enough dots it would name another part of the sidecar's API.</exception>
    public Uri AddressOfMethod(string appId, string method)
    {
        var root = $"{Root}v1.0/invoke/{PathSegment.Escape(appId)}/method/";
        var address = new Uri(root + method);
        return address.AbsoluteUri.StartsWith(root, StringComparison.Ordinal)
            ? address
            : throw new ArgumentException($"'{method}' is no method of app '{appId}': it leads out of the app, to '{address.AbsolutePath}'. Take the dot segments out.", nameof(method));
    }

    /// <summary>Completes when the whole answer is here.</summary>
    /// <exception cref="HttpRequestException">The sidecar did not answer, or its answer broke off.</exception>
    public async Task<HttpResponseMessage> SendForAllAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = await SendAsync(request, cancellationToken);
        try
        {
            await response.Content.LoadIntoBufferAsync(cancellationToken);
            return response;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

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

    private string Root => _options.HttpEndpoint.AbsoluteUri is var root && root.EndsWith('/') ? root : root + "/";

    public void Dispose() => _invoker.Dispose();
}
