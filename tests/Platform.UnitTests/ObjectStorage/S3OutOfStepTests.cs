using System.Net;
using System.Net.Sockets;
using System.Text;
using Platform.DataPlane;
using Platform.DataPlane.ObjectStorage;

namespace Platform.UnitTests.ObjectStorage;

/// <summary>Ceph answers a refused write before it has read its body, and may then take the rest of that body for the next request. It says 400 and nothing more.</summary>
public sealed class S3OutOfStepTests : IDisposable
{
    private const string Refused = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    private const string Explained = "HTTP/1.1 400 Bad Request\r\nContent-Type: application/xml\r\nContent-Length: 70\r\nConnection: close\r\n\r\n<Error><Code>InvalidRequest</Code><Message>no such thing</Message></Error>";
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    public S3OutOfStepTests() => _listener.Start();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _listener.Dispose();

    [Fact]
    public async Task Put_RefusedByTheHttpParserOnce_IsTriedAgain()
    {
        var answering = Answer(Refused, "HTTP/1.1 200 OK\r\nETag: \"e1\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        using var storage = Open();

        Assert.Equal("e1", await storage.PutAsync("k", new byte[10], cancellationToken: Token));

        Assert.Equal(2, await answering);
    }

    [Fact]
    public async Task Put_RefusedWithAReason_IsNotTriedAgain()
    {
        var answering = Answer(Explained.Replace("70", Explained[Explained.IndexOf('<', StringComparison.Ordinal)..].Length.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal));
        using var storage = Open();

        var error = await Assert.ThrowsAsync<StorageException>(() => storage.PutAsync("k", new byte[10], cancellationToken: Token));

        Assert.Contains("1 tries", error.Message, StringComparison.Ordinal);
        Assert.Contains("no such thing", error.Message, StringComparison.Ordinal);
        Assert.Equal(1, await answering);
    }

    private S3ObjectStorage Open() => new(new S3ObjectStorageOptions
    {
        Bucket = "b",
        Endpoint = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}"),
        AccessKey = "a",
        SecretKey = "s",
    });

    /// <summary>Gives one answer per connection, and counts them.</summary>
    private async Task<int> Answer(params string[] answers)
    {
        foreach (var answer in answers)
        {
            using var connection = await _listener.AcceptSocketAsync(Token);
            var request = new byte[16 * 1024];
            var text = "";
            while (!text.Contains("\r\n\r\n", StringComparison.Ordinal))
            {
                text += Encoding.ASCII.GetString(request, 0, await connection.ReceiveAsync(request, Token));
            }

            await connection.SendAsync(Encoding.ASCII.GetBytes(answer), Token);
            connection.Shutdown(SocketShutdown.Send);
            while (await connection.ReceiveAsync(request, Token) > 0)
            {
                // Until the client has closed too, so that nothing that is on its way is reset.
            }
        }

        return answers.Length;
    }
}
