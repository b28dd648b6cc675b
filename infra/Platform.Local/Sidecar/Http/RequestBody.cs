using System.Buffers;
using System.Text.Json;
using Platform.Jobs;

namespace Platform.Local.Sidecar.Http;

/// <summary>Reads request bodies up to the sidecar's limit.</summary>
internal static class RequestBody
{
    /// <summary>What takes longer to parse than to move to another thread.</summary>
    private const int LargeBytes = 32 * 1024;

    /// <summary>The whole body. After a large one the caller is off the threads that serve the sockets (see <see cref="InlineSockets"/>).</summary>
    /// <exception cref="BodyTooLargeException">It is larger than <paramref name="maxBytes"/>.</exception>
    public static async Task<ReadOnlyMemory<byte>> ReadAsync(HttpContext context, long maxBytes)
    {
        var request = context.Request;
        if (request.ContentLength > maxBytes)
        {
            throw new BodyTooLargeException(maxBytes);
        }

        if (request.ContentLength == 0)
        {
            return default;
        }

        var reader = request.BodyReader;
        while (true)
        {
            var result = await reader.ReadAsync(context.RequestAborted);
            if (result.Buffer.Length > maxBytes)
            {
                throw new BodyTooLargeException(maxBytes);
            }

            if (result.IsCompleted)
            {
                var body = result.Buffer.ToArray();
                reader.AdvanceTo(result.Buffer.End);
                if (body.Length > LargeBytes)
                {
                    await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
                }

                return body;
            }

            reader.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        }
    }

    /// <summary>The whole body as JSON; the caller disposes the document.</summary>
    /// <exception cref="DaprErrorException">400 <c>ERR_MALFORMED_REQUEST</c>: it is not JSON, or too large.</exception>
    public static async Task<JsonDocument> ReadJsonAsync(HttpContext context, long maxBytes)
    {
        try
        {
            return LenientJson.Parse(await ReadAsync(context, maxBytes));
        }
        catch (Exception e) when (e is JsonException or BodyTooLargeException)
        {
            throw new DaprErrorException(DaprError.Malformed(e.Message), e);
        }
    }
}

/// <summary>The body is larger than <see cref="SidecarOptions.MaxBodyBytes"/>.</summary>
internal sealed class BodyTooLargeException(long maxBytes) : IOException($"http: request body too large: the limit is {maxBytes} bytes, raise it with --max-body-size");
