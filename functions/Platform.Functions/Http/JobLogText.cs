namespace Platform.Functions.Http;

/// <summary>The log of an attempt as text, to its end of now. Memory is bounded by one read.</summary>
/// <param name="first">Bytes from <paramref name="offset"/> on.</param>
/// <param name="offset">Where the text begins.</param>
/// <param name="read">Bytes from an offset, empty at the end; null if they cannot be read.</param>
internal sealed class JobLogText(byte[] first, long offset, Func<long, CancellationToken, Task<byte[]?>> read) : IResult
{
    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var (position, bytes, cancellationToken) = (offset, first, httpContext.RequestAborted);
        httpContext.Response.ContentType = "text/plain; charset=utf-8";
        while (bytes is { Length: > 0 })
        {
            await httpContext.Response.Body.WriteAsync(bytes, cancellationToken);
            position += bytes.Length;
            bytes = await read(position, cancellationToken);
        }

        if (bytes is null)
        {
            // Whoever had the rest is gone: better a broken answer than one that looks whole.
            httpContext.Abort();
        }
    }
}
