using Platform.Functions.Hosting;
using Platform.Jobs;

namespace Platform.Functions.Routing;

/// <summary>Reads bodies that are passed on whole, so that a call can be sent to another worker.</summary>
internal static class RequestBody
{
    /// <summary>Parsing more than this takes long enough to keep other calls waiting on a thread that serves sockets (<see cref="InlineSockets"/>).</summary>
    private const int LargeBytes = 64 * 1024;

    /// <exception cref="ProblemException">The body is larger than <paramref name="maxBytes"/>.</exception>
    public static async Task<byte[]> ReadAsync(HttpRequest request, int maxBytes, CancellationToken cancellationToken)
    {
        using var buffer = new MemoryStream(request.ContentLength is { } length && length <= maxBytes ? (int)length : 1024);
        var chunk = new byte[16 * 1024];
        int read;
        while ((read = await request.Body.ReadAsync(chunk, cancellationToken)) > 0)
        {
            if (buffer.Length + read > maxBytes)
            {
                throw new ProblemException(Problem.Of(413, ErrorCodes.BodyTooLarge, $"The body is larger than {maxBytes} bytes. Use a 'batch-infer' job with its input in object storage for large inputs."));
            }

            buffer.Write(chunk, 0, read);
        }

        if (buffer.Length > LargeBytes)
        {
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        }

        return buffer.ToArray();
    }
}
