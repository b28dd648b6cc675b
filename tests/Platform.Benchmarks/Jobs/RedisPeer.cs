using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Platform.Benchmarks.Jobs;

/// <summary>Pushes from several connections at once, each waiting for its answers.</summary>
internal static class RedisPeer
{
    /// <summary>Acknowledged pushes of 100 bytes per second.</summary>
    public static async Task<double> PushRateAsync(int port, int count, int atOnce)
    {
        var push = Encoding.ASCII.GetBytes($"*3\r\n$5\r\nLPUSH\r\n$1\r\nm\r\n$100\r\n{new string('x', 100)}\r\n");
        var began = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, atOnce).Select(async _ =>
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync("127.0.0.1", port);
            var answer = new byte[256];
            for (var i = 0; i < count / atOnce; i++)
            {
                await socket.SendAsync(push);
                await socket.ReceiveAsync(answer);
            }
        }));
        return count / Stopwatch.GetElapsedTime(began).TotalSeconds;
    }
}
