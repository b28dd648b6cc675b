using System.Net;
using System.Net.Sockets;

namespace Platform.Jobs;

/// <summary>Has this process go on with a request on the thread that saw its bytes arrive, instead of handing it to the thread pool.</summary>
/// <remarks>
/// A hop waits twice for a socket; each hand-over costs about as much as all the work between (a third of the sidecar hop's p50 in the dispatch benchmark).
/// The runtime reads the setting once, from a variable, when the first socket is made. The variable is taken back then: programs that are started from here may compute on
/// these threads and must not have it. The price: nothing in this process may block in a continuation of a socket; whatever parses a large body moves off first.
/// </remarks>
public static class InlineSockets
{
    private const string Variable = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";

    /// <summary>Call before anything else opens a socket; later it has no effect.</summary>
    public static void Enable()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not null)
        {
            return; // Somebody decided already.
        }

        Environment.SetEnvironmentVariable(Variable, "1");
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, 0);
            listener.Start();
            using var client = new TcpClient();
            _ = listener.AcceptTcpClientAsync().ContinueWith(accepted => accepted.Result.Dispose(), CancellationToken.None, TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
            client.Connect(IPAddress.Loopback, ((IPEndPoint)listener.LocalEndpoint).Port);
        }
        catch (SocketException)
        {
            // No loopback: the next thing that needs a socket says so better.
        }
        finally
        {
            Environment.SetEnvironmentVariable(Variable, null);
        }
    }
}
