using System.Net;
using System.Net.Sockets;

namespace Platform.Jobs;

/// <summary>Has this process go on with a request on the thread that saw its bytes arrive, instead of handing it to the thread pool.</summary>
/// <remarks>
/// A hop waits twice for a socket; each hand-over costs about as much as all the work between (a third of the sidecar hop's p50 in the dispatch benchmark).
/// Such threads are one for every two processors, where the runtime would take one for each: a call crosses several programs of this machine, whose threads take turns anyway, and one that
/// finds several sockets ready sleeps and is woken less often (a fifth to a third of a program's CPU per call at 16 connections).
/// The runtime reads both settings once, from variables, when the first socket is made. The variables are taken back then: programs that are started from here may compute on
/// these threads and must not have them. The price: nothing in this process may block in a continuation of a socket; whatever parses a large body moves off first.
/// </remarks>
public static class InlineSockets
{
    private const string Inline = "DOTNET_SYSTEM_NET_SOCKETS_INLINE_COMPLETIONS";
    private const string Threads = "DOTNET_SYSTEM_NET_SOCKETS_THREAD_COUNT";

    /// <summary>Call before anything else opens a socket; later it has no effect.</summary>
    public static void Enable()
    {
        if (Environment.GetEnvironmentVariable(Inline) is not null)
        {
            return; // Somebody decided already.
        }

        var threads = Environment.GetEnvironmentVariable(Threads);
        Environment.SetEnvironmentVariable(Inline, "1");
        Environment.SetEnvironmentVariable(Threads, threads ?? $"{Math.Max(1, Environment.ProcessorCount / 2)}");
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
            Environment.SetEnvironmentVariable(Inline, null);
            Environment.SetEnvironmentVariable(Threads, threads);
        }
    }
}
