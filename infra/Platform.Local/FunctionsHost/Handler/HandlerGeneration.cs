using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Platform.Local.FunctionsHost.Handler;

/// <summary>One life of the handler: a process that answered on its port. A restart makes the next generation.</summary>
internal sealed class HandlerGeneration : IDisposable
{
    private const int ConnectAttempts = 10;

    private readonly CancellationTokenSource _exited = new();

    public HandlerGeneration(int processId, int port)
    {
        Exited = _exited.Token;
        ProcessId = processId;
        Port = port;
        Origin = $"http://127.0.0.1:{port}";
        Raw = new HttpMessageInvoker(NewConnections(redirect: false));
        Envelopes = new HttpClient(NewConnections(redirect: true)) { BaseAddress = new Uri(Origin + "/"), Timeout = Timeout.InfiniteTimeSpan };
    }

    public int ProcessId { get; }

    public int Port { get; }

    /// <summary>Scheme, address and port; no slash at the end.</summary>
    public string Origin { get; }

    /// <summary>For raw requests: redirects are the caller's business.</summary>
    public HttpMessageInvoker Raw { get; }

    /// <summary>For envelopes: redirects are followed.</summary>
    public HttpClient Envelopes { get; }

    /// <summary>Cancelled when the process has ended. May be asked after that, too.</summary>
    public CancellationToken Exited { get; }

    /// <summary>Called once by the supervisor. Requests under way fail by themselves when the process's sockets close.</summary>
    public void MarkExited() => _exited.Cancel();

    /// <remarks>The clients are left to the collector: requests of this generation may still be failing when the next one starts.</remarks>
    public void Dispose() => _exited.Dispose();

    private SocketsHttpHandler NewConnections(bool redirect) => new()
    {
        AllowAutoRedirect = redirect,
        UseCookies = false,
        UseProxy = false,
        AutomaticDecompression = DecompressionMethods.None,
        ActivityHeadersPropagator = null,

        // As the server read them. What the handler answers is read as Latin-1, which has a character for each byte, and written so: the caller gets the handler's bytes.
        RequestHeaderEncodingSelector = static (_, _) => Encoding.UTF8,
        ConnectCallback = async (context, cancellationToken) => new NetworkStream(await ConnectAsync(context.DnsEndPoint.Port, cancellationToken), ownsSocket: true),
    };

    /// <summary>A busy handler may refuse for a moment; an ended one never accepts again.</summary>
    private async Task<Socket> ConnectAsync(int port, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(IPAddress.Loopback, port, cancellationToken);
                return socket;
            }
            catch (SocketException) when (attempt < ConnectAttempts && !Exited.IsCancellationRequested)
            {
                socket.Dispose();
                await Task.Delay(TimeSpan.FromMilliseconds(Math.Min(250, 50 * attempt)), cancellationToken);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
    }
}
