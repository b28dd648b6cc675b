using System.Net;

namespace Platform.Local.Sidecar.Http;

/// <summary>Streams a request's body on as it comes, up to the limit.</summary>
internal sealed class ForwardedBody(HttpContext context, long maxBytes) : HttpContent
{
    /// <summary>Set when the body was larger than the limit: the call failed for that reason and no other.</summary>
    public bool TooLarge { get; private set; }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? transport) => SerializeToStreamAsync(stream, transport, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? transport, CancellationToken cancellationToken)
    {
        var reader = context.Request.BodyReader;
        long total = 0;
        while (true)
        {
            var result = await reader.ReadAsync(cancellationToken);
            total += result.Buffer.Length;
            if (total > maxBytes)
            {
                TooLarge = true;
                throw new BodyTooLargeException(maxBytes);
            }

            foreach (var segment in result.Buffer)
            {
                await stream.WriteAsync(segment, cancellationToken);
            }

            reader.AdvanceTo(result.Buffer.End);
            if (result.IsCompleted)
            {
                return;
            }

            if (context.Request.ContentLength is null)
            {
                await stream.FlushAsync(cancellationToken); // Whoever streams wants each piece at the other end now.
            }
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = context.Request.ContentLength ?? 0;
        return context.Request.ContentLength is not null;
    }
}
