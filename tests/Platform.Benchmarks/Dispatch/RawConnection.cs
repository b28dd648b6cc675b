using System.Net.Sockets;
using System.Text;

namespace Platform.Benchmarks.Dispatch;

/// <summary>One connection that sends a fixed HTTP/1.1 request and reads its answer: next to no cost of its own.</summary>
internal sealed class RawConnection : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _buffer = new byte[16 * 1024];
    private readonly byte[] _request;

    public RawConnection(int port, string method, string path, string body = "")
    {
        _socket.Connect("127.0.0.1", port);
        _request = Encoding.ASCII.GetBytes($"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{(body.Length > 0 || method != "GET" ? $"Content-Type: application/json\r\nContent-Length: {body.Length}\r\n" : "")}\r\n{body}");
    }

    /// <exception cref="InvalidOperationException">The answer is not a success.</exception>
    public async Task CallAsync()
    {
        await _socket.SendAsync(_request);
        var length = 0;
        while (true)
        {
            var read = await _socket.ReceiveAsync(_buffer.AsMemory(length));
            if (read == 0)
            {
                throw new InvalidOperationException("the server closed the connection");
            }

            length += read;
            if (IsWhole(_buffer.AsSpan(0, length)))
            {
                return;
            }
        }
    }

    public void Dispose() => _socket.Dispose();

    private static bool IsWhole(ReadOnlySpan<byte> answer)
    {
        var end = answer.IndexOf("\r\n\r\n"u8);
        if (end < 0)
        {
            return false;
        }

        if (answer[9] != '2')
        {
            throw new InvalidOperationException(Encoding.ASCII.GetString(answer));
        }

        var head = Encoding.ASCII.GetString(answer[..end]);
        var at = head.IndexOf("Content-Length: ", StringComparison.OrdinalIgnoreCase);
        if (at < 0)
        {
            return head.Contains(" 204 ", StringComparison.Ordinal) || answer.EndsWith("0\r\n\r\n"u8);
        }

        var line = head[(at + 16)..];
        var stop = line.IndexOf('\r', StringComparison.Ordinal);
        return answer.Length >= end + 4 + int.Parse(stop < 0 ? line : line[..stop]);
    }
}
