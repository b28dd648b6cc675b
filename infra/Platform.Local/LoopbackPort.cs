using System.Net;
using System.Net.Sockets;

namespace Platform.Local;

/// <summary>Ports on loopback for programs that must be told a number before they listen.</summary>
internal static class LoopbackPort
{
    // Below the range from which Linux takes the ports of outgoing connections (32768 and up): one of those could take the port between the look and the listening.
    private const int First = 10_000;
    private const int End = 32_000;
    private static readonly HashSet<int> GivenOut = [];
    private static readonly Lock Gate = new();

    /// <summary>A port that nobody listens on, and that this process was not given before. Thread-safe.</summary>
    /// <remarks>Nothing holds it until the program listens. It is chosen at random, so two processes that ask at once get the same one about once in 20,000 times.</remarks>
    public static int AnyFree()
    {
        lock (Gate)
        {
            while (true)
            {
                var port = Random.Shared.Next(First, End);
                if (IsFree(port) && GivenOut.Add(port))
                {
                    return port;
                }
            }
        }
    }

    /// <summary>True if nobody listens on a port.</summary>
    public static bool IsFree(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
