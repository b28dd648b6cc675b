using System.Net;
using System.Text.RegularExpressions;
using Platform.Jobs;
using Platform.Local.FunctionsHost.App;
using Platform.Local.FunctionsHost.Handler;
using Platform.Local.FunctionsHost.Invocations;

namespace Platform.Local.FunctionsHost.Http;

/// <summary>Runs HTTP-only functions by passing the request through: streamed both ways when proxying, buffered when forwarding.</summary>
internal sealed partial class RawHttpRunner(HandlerSupervisor supervisor, FunctionInvoker invoker, HostSettings host, ILogger logger)
{
    /// <summary>The contract's limit for a proxied call on which nothing moves.</summary>
    private static readonly TimeSpan ActivityTimeout = TimeSpan.FromSeconds(240);

    private const int ReadBytes = 16 * 1024;

    public async Task RunAsync(HttpContext context, FunctionDefinition function)
    {
        if (!host.Handler.Proxying)
        {
            await ForwardAsync(context, function);
            return;
        }

        while (true)
        {
            var ready = supervisor.WaitReadyAsync(context.RequestAborted);
            var generation = ready.IsCompletedSuccessfully ? ready.Result : await ready;
            if (await ProxyAsync(context, function, generation) is not { } failure || context.Response.HasStarted || context.RequestAborted.IsCancellationRequested)
            {
                return;
            }

            context.Response.Clear();
            if (!await MayRepeatAsync(context, generation, failure))
            {
                await AnswerFailureAsync(context, function, failure);
                return;
            }
        }
    }

    /// <summary>Passes the call through; null when it is over, else why nothing was answered.</summary>
    private async Task<Exception?> ProxyAsync(HttpContext context, FunctionDefinition function, HandlerGeneration generation)
    {
        var begin = Environment.TickCount64;
        using var limit = CallDeadline.Start(TimeLeft(begin), context.RequestAborted);
        using var request = RequestOf(context, function, generation);
        var body = context.Request.ContentLength > 0 || context.Request.Headers.TransferEncoding.Count > 0 ? new PassedOnBody(context.Request, () => limit.Extend(TimeLeft(begin))) : null;
        request.Content = body;
        PassedOnHeaders.Copy(context, request);
        try
        {
            using var response = await generation.Raw.SendAsync(request, limit.Token);
            context.Response.StatusCode = (int)response.StatusCode;
            PassedOnHeaders.Copy(response, context.Response);
            await CopyAsync(response, context, begin, limit);
            return null;
        }
        catch (OperationCanceledException exception) when (!context.RequestAborted.IsCancellationRequested)
        {
            return EndOverdue(context, function, generation, begin, exception);
        }
        catch (OperationCanceledException)
        {
            // The caller has gone.
            return null;
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            if (context.Response.HasStarted)
            {
                // Only cutting the connection tells the caller that the rest is missing.
                context.Abort();
            }

            return body?.Broken ?? exception;
        }
    }

    private async Task CopyAsync(HttpResponseMessage response, HttpContext context, long begin, CallDeadline limit)
    {
        if (response.Content.Headers.ContentLength == 0 || HttpMethods.IsHead(context.Request.Method))
        {
            return;
        }

        var writer = context.Response.BodyWriter;
        await using var body = await response.Content.ReadAsStreamAsync(limit.Token);
        if (response.Content.Headers.ContentLength is null && response.StatusCode is not (HttpStatusCode.NoContent or HttpStatusCode.NotModified))
        {
            // A stream's headers go out before its first piece.
            await writer.FlushAsync(limit.Token);
        }

        while (await body.ReadAsync(writer.GetMemory(ReadBytes), limit.Token) is var length and > 0)
        {
            writer.Advance(length);
            await writer.FlushAsync(limit.Token);
            limit.Extend(TimeLeft(begin));
        }
    }

    /// <summary>Until functionTimeout, or until nothing has moved for too long, whichever is sooner.</summary>
    private TimeSpan TimeLeft(long begin)
    {
        if (host.FunctionTimeout is not { } timeout)
        {
            return ActivityTimeout;
        }

        var left = timeout - TimeSpan.FromMilliseconds(Environment.TickCount64 - begin);
        return left < TimeSpan.Zero ? TimeSpan.Zero : left < ActivityTimeout ? left : ActivityTimeout;
    }

    /// <summary>Beyond functionTimeout the handler is restarted, as hosts do; a call on which nothing moves is only ended.</summary>
    private Exception EndOverdue(HttpContext context, FunctionDefinition function, HandlerGeneration generation, long begin, OperationCanceledException exception)
    {
        if (context.Response.HasStarted)
        {
            context.Abort();
        }

        if (host.FunctionTimeout is { } timeout && TimeLeft(begin) < ActivityTimeout && TimeSpan.FromMilliseconds(Environment.TickCount64 - begin) >= timeout - TimeSpan.FromMilliseconds(50))
        {
            var reason = $"Function '{function.Name}' ran longer than functionTimeout ({timeout}).";
            supervisor.Restart(generation, reason);
            return new InvocationException(reason, exception);
        }

        return new TimeoutException($"Function '{function.Name}' sent nothing for {ActivityTimeout}.", exception);
    }

    private HttpRequestMessage RequestOf(HttpContext context, FunctionDefinition function, HandlerGeneration generation)
    {
        var path = host.Handler.IsPredecessor ? "/" + function.Name : PathOf(context.Request);
        var uri = new Uri(string.Concat(generation.Origin, path, context.Request.QueryString.Value), new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        return new HttpRequestMessage(HttpMethod.Parse(context.Request.Method), uri) { Version = HttpVersion.Version11, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
    }

    /// <summary>The path as the caller wrote it. The server decodes all but an encoded slash, so a percent sign before anything else is one that was encoded.</summary>
    private static string PathOf(HttpRequest request) => request.Path.Value!.Contains('%', StringComparison.Ordinal)
        ? new PathString(Percent().Replace(request.Path.Value, "%25")).ToUriComponent()
        : request.Path.ToUriComponent();

    [GeneratedRegex("%(?!2[Ff])", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Percent();

    /// <summary>A call may go to the next process if the old one never got it, or if getting it twice is harmless.</summary>
    private static async Task<bool> MayRepeatAsync(HttpContext context, HandlerGeneration generation, Exception failure)
    {
        var neverArrived = failure is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError };
        var harmless = failure is HttpRequestException or IOException && (HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method));
        return (neverArrived || harmless) && await HandlerCalls.ExitsAsync(generation, context.RequestAborted);
    }

    private async Task AnswerFailureAsync(HttpContext context, FunctionDefinition function, Exception failure)
    {
        switch (failure)
        {
            case BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge }:
                await context.WriteProblemAsync(413, ErrorCodes.BodyTooLarge, failure.Message);
                break;
            case BadHttpRequestException refused:
                await context.WriteProblemAsync(refused.StatusCode, ErrorCodes.InvalidRequest, $"The request's body did not arrive whole: {refused.Message}");
                break;
            case InvocationException:
                await context.WriteProblemAsync(500, ErrorCodes.Internal, failure.Message);
                break;
            case TimeoutException:
                await context.WriteProblemAsync(504, ErrorCodes.Unavailable, failure.Message);
                break;
            default:
                logger.InvocationFailed(function.Name, context.TraceIdentifier, failure.Message);
                context.Response.Headers.RetryAfter = "1";
                await context.WriteProblemAsync(502, ErrorCodes.Unavailable, $"The handler was lost while it ran '{function.Name}' ({failure.Message}). It is being restarted; whether the call took effect is not known.");
                break;
        }
    }

    /// <summary>The older mode: buffered both ways, and a body without Content-Length never arrives.</summary>
    private async Task ForwardAsync(HttpContext context, FunctionDefinition function)
    {
        byte[]? body = null;
        if (context.Request.ContentLength > 0)
        {
            using var buffer = new MemoryStream();
            await context.Request.Body.CopyToAsync(buffer, context.RequestAborted);
            body = buffer.ToArray();
        }
        else if (context.Request.ContentLength is null && context.Request.Headers.TransferEncoding.Count > 0)
        {
            logger.ChunkedBodyDropped(function.Name);
        }

        using var response = await supervisor.CallAsync(
            generation => invoker.WithTimeoutAsync(function, generation, deadline => SendAsync(context, function, generation, body, deadline), context.RequestAborted),
            context.RequestAborted);
        context.Response.StatusCode = (int)response.StatusCode;
        PassedOnHeaders.Copy(response, context.Response);
        await response.Content.CopyToAsync(context.Response.Body, context.RequestAborted);
    }

    private async Task<HttpResponseMessage> SendAsync(HttpContext context, FunctionDefinition function, HandlerGeneration generation, byte[]? body, CancellationToken cancellationToken)
    {
        using var request = RequestOf(context, function, generation);
        request.Content = body is null ? null : new ByteArrayContent(body);
        PassedOnHeaders.Copy(context, request);
        request.Headers.TryAddWithoutValidation("User-Agent", HostHeaders.UserAgent);
        var response = await generation.Raw.SendAsync(request, cancellationToken);
        await response.Content.LoadIntoBufferAsync(cancellationToken);
        return response;
    }
}
