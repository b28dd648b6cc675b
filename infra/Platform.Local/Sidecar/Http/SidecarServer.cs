using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;

namespace Platform.Local.Sidecar.Http;

/// <summary>Kestrel on one loopback port with one handler: no host, no middleware, nothing per request but the context.</summary>
internal sealed class SidecarServer : IAsyncDisposable
{
    private readonly KestrelServer _server;

    private SidecarServer(KestrelServer server, int port)
    {
        _server = server;
        Port = port;
    }

    public int Port { get; }

    /// <exception cref="SidecarException">The port is taken.</exception>
    public static async Task<SidecarServer> StartAsync(int port, RequestDelegate handler, ILoggerFactory loggers, CancellationToken cancellationToken)
    {
        var options = new KestrelServerOptions { AddServerHeader = false, AllowSynchronousIO = false, AllowAlternateSchemes = true };
        options.Limits.MaxRequestBodySize = null; // The limit is the sidecar's own: its error is daprd's.
        options.Limits.MinRequestBodyDataRate = null; // A stream of tokens or of a person's typing may be slow.
        options.Limits.MinResponseDataRate = null;
        options.Listen(IPAddress.Loopback, port, listen =>
        {
            listen.Protocols = HttpProtocols.Http1AndHttp2;
            listen.Use(PriorKnowledge.Detect);
        });
        var server = new KestrelServer(
            Options.Create(options),
            new SocketTransportFactory(Options.Create(new SocketTransportOptions { UnsafePreferInlineScheduling = true, WaitForDataBeforeAllocatingBuffer = false }), loggers),
            loggers);
        try
        {
            await server.StartAsync(new Application(handler), cancellationToken);
        }
        catch (IOException e)
        {
            server.Dispose();
            throw new SidecarException($"Port {port} for the sidecar's HTTP API is not free: {e.Message} Choose another with --dapr-http-port (daprHTTPPort in dapr.yaml), or 0 for any.", e);
        }

        var address = server.Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return new SidecarServer(server, new Uri(address).Port);
    }

    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        await _server.StopAsync(patience.Token);
        _server.Dispose();
    }

    private sealed class Application(RequestDelegate handler) : IHttpApplication<HttpContext>
    {
        public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

        public Task ProcessRequestAsync(HttpContext context) => handler(context);

        public void DisposeContext(HttpContext context, Exception? exception)
        {
            // Kestrel owns the features; there is nothing of ours to give back.
        }
    }
}
