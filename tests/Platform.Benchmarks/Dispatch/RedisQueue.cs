using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Platform.Benchmarks.Dispatch;

/// <summary>Push on one connection, blocking pop on another: the shortest way through Redis.</summary>
internal static class RedisQueue
{
    /// <summary>Times from push to pop.</summary>
    public static async Task<List<TimeSpan>> MeasureAsync(int port, int count)
    {
        using var pusher = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using var popper = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await pusher.ConnectAsync("127.0.0.1", port);
        await popper.ConnectAsync("127.0.0.1", port);
        var pop = Encoding.ASCII.GetBytes("*3\r\n$5\r\nBRPOP\r\n$1\r\nq\r\n$1\r\n0\r\n");
        var push = Encoding.ASCII.GetBytes($"*3\r\n$5\r\nLPUSH\r\n$1\r\nq\r\n$100\r\n{new string('x', 100)}\r\n");
        var (pushed, popped) = (new byte[256], new byte[512]);
        var times = new List<TimeSpan>();
        for (var i = 0; i < count; i++)
        {
            await popper.SendAsync(pop);
            var begin = Stopwatch.GetTimestamp();
            await pusher.SendAsync(push);
            var acknowledged = pusher.ReceiveAsync(pushed.AsMemory()).AsTask();
            await popper.ReceiveAsync(popped.AsMemory());
            times.Add(Stopwatch.GetElapsedTime(begin));
            await acknowledged;
        }

        return times;
    }
}
