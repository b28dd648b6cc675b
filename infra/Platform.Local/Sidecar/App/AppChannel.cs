using System.Net;
using Platform.Local.Sidecar.Configuration;

namespace Platform.Local.Sidecar.App;

/// <summary>The way to one app: its address, its token, how many calls it takes at a time. Thread-safe.</summary>
internal sealed class AppChannel : IDisposable
{
    /// <summary>Header with the app's token.</summary>
    public const string TokenHeader = "dapr-api-token";

    private readonly HttpMessageInvoker _invoker;
    private readonly SemaphoreSlim? _slots;
    private readonly string? _token;
    private readonly Version _version;

    public AppChannel(SidecarOptions options)
    {
        AppId = options.AppId;
        Host = options.AppChannelAddress;
        Port = options.AppPort;
        Address = options.AppPort is { } port ? new UriBuilder("http", options.AppChannelAddress, port, "/").Uri : null;
        MaxBodyBytes = options.MaxBodyBytes;
        _token = options.AppApiToken is { Length: > 0 } token ? token : null;
        _slots = options.AppMaxConcurrency > 0 ? new SemaphoreSlim(options.AppMaxConcurrency) : null;
        _version = options.AppProtocol == "h2c" ? HttpVersion.Version20 : HttpVersion.Version11;
        _invoker = new HttpMessageInvoker(new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ActivityHeadersPropagator = null, // Trace headers are forwarded, not made up from this process's own activity.
            ConnectTimeout = TimeSpan.FromSeconds(5),
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(60),
            EnableMultipleHttp2Connections = true,
        });
    }

    public string AppId { get; }

    public string Host { get; }

    /// <summary>Port of the app; null if nobody can call it.</summary>
    public int? Port { get; }

    /// <summary>Address of the app; null if nobody can call it.</summary>
    public Uri? Address { get; }

    /// <summary>Largest request body that the app's sidecar takes.</summary>
    public long MaxBodyBytes { get; }

    /// <summary>False while the app fails its health checks.</summary>
    public bool IsHealthy { get; set; } = true;

    /// <summary>Which apps may call; null: all may.</summary>
    public AccessControl? AccessControl { get; init; }

    /// <summary>Called when a connection was refused: nobody listens.</summary>
    public Action? Refused { get; set; }

    /// <summary>Address of a path at the app. Joined as texts: to <see cref="Uri"/> a path such as <c>orders:done</c> is an address of its own.</summary>
    public Uri AddressOf(string path) => new(Address + path);

    /// <summary>Waits until the app takes another call; the lease ends when the call's response is read to its end.</summary>
    public async ValueTask<Slot> EnterAsync(CancellationToken cancellationToken)
    {
        if (_slots is not null)
        {
            await _slots.WaitAsync(cancellationToken);
        }

        return new Slot(_slots);
    }

    /// <summary>Sends a request to the app; completes with the response headers.</summary>
    /// <exception cref="HttpRequestException">The app did not answer.</exception>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        request.Version = _version;
        request.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
        request.Headers.Remove(TokenHeader);
        if (_token is not null)
        {
            request.Headers.TryAddWithoutValidation(TokenHeader, _token);
        }

        try
        {
            return await _invoker.SendAsync(request, cancellationToken);
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConnectionError)
        {
            Refused?.Invoke();
            throw;
        }
    }

    public void Dispose()
    {
        _invoker.Dispose();
        _slots?.Dispose();
    }

    /// <summary>One of the calls that the app takes at a time.</summary>
    public readonly struct Slot(SemaphoreSlim? slots) : IDisposable
    {
        public void Dispose() => slots?.Release();
    }
}
