using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Features;
using Platform.Jobs;

namespace Platform.Functions.Routing;

/// <summary>Passes a worker's answer to the client as it comes, token by token, with the time at the door added to <c>Server-Timing</c>.</summary>
/// <param name="routed">The worker's answer.</param>
/// <param name="errorEvent">Makes the JSON of an error that takes the place of the rest of a stream.</param>
/// <param name="logger">Takes streams that broke.</param>
internal sealed class CompletionResult(RoutedResponse routed, Func<Problem, byte[]> errorEvent, ILogger logger) : IResult
{
    private static readonly HashSet<string> NotPassedOn = new(StringComparer.OrdinalIgnoreCase)
    {
        "Connection", "Keep-Alive", "Transfer-Encoding", "Date", "Server", "Content-Length", "traceparent", "tracestate", ServerTiming.Header,
    };

    public CompletionResult(RoutedResponse routed, ILogger logger)
        : this(routed, static problem => JsonSerializer.SerializeToUtf8Bytes(problem, JobsJson.Default.Problem), logger)
    {
    }

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        using (routed)
        {
            var upstream = routed.Response;
            httpContext.Response.StatusCode = (int)upstream.StatusCode;
            foreach (var (name, values) in upstream.Headers.NonValidated.Concat(upstream.Content.Headers.NonValidated))
            {
                if (!NotPassedOn.Contains(name))
                {
                    httpContext.Response.Headers[name] = values.ToArray();
                }
            }

            httpContext.Response.Headers[Routes.WorkerHeader] = routed.Worker;
            httpContext.Response.Headers[ServerTiming.Header] = Timing(upstream);
            httpContext.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
            await CopyAsync(httpContext, upstream);
        }
    }

    private string Timing(HttpResponseMessage upstream)
    {
        var ours = ServerTiming.Format([KeyValuePair.Create(ServerTiming.Queued, routed.Queued), KeyValuePair.Create(ServerTiming.Placed, routed.Placed)]);
        return upstream.Headers.TryGetValues(ServerTiming.Header, out var theirs) ? $"{ours}, {string.Join(", ", theirs)}" : ours;
    }

    private async Task CopyAsync(HttpContext context, HttpResponseMessage upstream)
    {
        var cancellationToken = context.RequestAborted;
        var buffer = new byte[16 * 1024];
        await using var body = await upstream.Content.ReadAsStreamAsync(cancellationToken);
        while (true)
        {
            int read;
            try
            {
                read = await body.ReadAsync(buffer, cancellationToken);
            }
            catch (Exception exception) when (exception is IOException or HttpRequestException)
            {
                await BreakAsync(context, upstream, exception);
                return;
            }

            if (read == 0)
            {
                return;
            }

            await context.Response.Body.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            await context.Response.Body.FlushAsync(cancellationToken);
        }
    }

    /// <summary>The client has some of the tokens, so no other worker can take over unseen: a stream gets an error event, as OpenAI's does; anything else is cut.</summary>
    private async Task BreakAsync(HttpContext context, HttpResponseMessage upstream, Exception exception)
    {
        logger.StreamBroken(routed.Worker, exception.Message);
        if (upstream.Content.Headers.ContentType?.MediaType != "text/event-stream")
        {
            context.Abort();
            return;
        }

        var problem = Problem.Of(502, ErrorCodes.WorkerLost, $"{routed.Worker} was lost in the middle of the answer. Send the call again.");
        await context.Response.WriteAsync($"\n\ndata: {Encoding.UTF8.GetString(errorEvent(problem))}\n\n", context.RequestAborted);
    }
}
