namespace Platform.Local.Sidecar.Http;

/// <summary>Streams an answer back, piece by piece as it comes.</summary>
internal static class ForwardedAnswer
{
    private const int ReadBytes = 16 * 1024;

    /// <summary>Copies status, headers and body.</summary>
    /// <exception cref="HttpRequestException">The app broke off before the first byte of the body was sent on; nothing was sent yet.</exception>
    public static async Task CopyAsync(HttpResponseMessage response, HttpContext context)
    {
        var answer = context.Response;
        answer.StatusCode = (int)response.StatusCode;
        ForwardedHeaders.Copy(response, answer);
        if (response.Content.Headers.ContentLength == 0)
        {
            return;
        }

        var cancellationToken = context.RequestAborted;
        try
        {
            var body = await response.Content.ReadAsStreamAsync(cancellationToken);
            var left = response.Content.Headers.ContentLength;
            if (left is null)
            {
                await answer.BodyWriter.FlushAsync(cancellationToken); // Headers of a stream go out before its first piece: the caller may be waiting for them.
            }

            while (true)
            {
                var length = await body.ReadAsync(answer.BodyWriter.GetMemory(ReadBytes), cancellationToken);
                if (length == 0)
                {
                    return;
                }

                answer.BodyWriter.Advance(length);
                left -= length;
                await answer.BodyWriter.FlushAsync(cancellationToken);
                if (left == 0)
                {
                    return;
                }
            }
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            if (answer.HasStarted)
            {
                context.Abort(); // The only way left to say that the body is not whole.
                return;
            }

            throw e as HttpRequestException ?? new HttpRequestException(e.Message, e);
        }
        catch (OperationCanceledException)
        {
            context.Abort(); // The caller is gone.
        }
    }
}
