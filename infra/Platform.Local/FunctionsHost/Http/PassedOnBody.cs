using System.Net;

namespace Platform.Local.FunctionsHost.Http;

/// <summary>A request's body on its way to the handler, piece by piece as it comes.</summary>
/// <param name="request">The caller's request.</param>
/// <param name="moved">Called when a piece has been passed on: the call is not idle.</param>
internal sealed class PassedOnBody(HttpRequest request, Action moved) : HttpContent
{
    /// <summary>Why the caller's side of the body broke off; null if it did not.</summary>
    public Exception? Broken { get; private set; }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? transport) => SerializeToStreamAsync(stream, transport, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? transport, CancellationToken cancellationToken)
    {
        var reader = request.BodyReader;
        while (true)
        {
            System.IO.Pipelines.ReadResult result;
            try
            {
                result = await reader.ReadAsync(cancellationToken);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                Broken = exception;
                throw;
            }

            foreach (var piece in result.Buffer)
            {
                await stream.WriteAsync(piece, cancellationToken);
            }

            reader.AdvanceTo(result.Buffer.End);
            moved();
            if (result.IsCompleted)
            {
                return;
            }

            if (request.ContentLength is null)
            {
                await stream.FlushAsync(cancellationToken);
            }
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = request.ContentLength ?? 0;
        return request.ContentLength is not null;
    }
}
