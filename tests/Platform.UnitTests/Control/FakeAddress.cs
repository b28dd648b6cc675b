using System.Net;

namespace Platform.UnitTests.Control;

/// <summary>An address on the network: keeps what it was sent, and answers as the test says.</summary>
internal sealed class FakeAddress : HttpMessageHandler
{
    public List<(HttpRequestMessage Request, byte[] Body)> Received { get; } = [];

    public Func<CancellationToken, Task<HttpStatusCode>> Answer { get; set; } = _ => Task.FromResult(HttpStatusCode.OK);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        Received.Add((request, await request.Content!.ReadAsByteArrayAsync(cancellationToken)));
        return new HttpResponseMessage(await Answer(cancellationToken));
    }
}
