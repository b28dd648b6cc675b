using System.Net;
using Platform.Jobs;
using Platform.Local.FunctionsHost.App;
using Platform.Local.FunctionsHost.Handler;
using Platform.Local.FunctionsHost.Invocations;
using Yarp.ReverseProxy.Forwarder;

namespace Platform.Local.FunctionsHost.Http;

/// <summary>Runs HTTP-only functions by passing the request through: streamed both ways when proxying, buffered when forwarding.</summary>
internal sealed class RawHttpRunner(HandlerSupervisor supervisor, FunctionInvoker invoker, IHttpForwarder forwarder, HostSettings host, ILogger logger)
{
    /// <summary>The contract's limit for a proxied call on which nothing moves.</summary>
    private static readonly ForwarderRequestConfig Proxying = new() { ActivityTimeout = TimeSpan.FromSeconds(240), Version = HttpVersion.Version11, VersionPolicy = HttpVersionPolicy.RequestVersionExact };

    public async Task RunAsync(HttpContext context, FunctionDefinition function)
    {
        var transformer = new HandlerTransformer(host.Handler.IsPredecessor ? function.Name : null);
        if (!host.Handler.Proxying)
        {
            await ForwardAsync(context, function, transformer);
            return;
        }

        while (true)
        {
            var generation = await supervisor.WaitReadyAsync(context.RequestAborted);
            var error = await invoker.WithTimeoutAsync(
                function,
                generation,
                deadline => ProxyAsync(context, generation, transformer, deadline),
                context.RequestAborted);
            if (error == ForwarderError.None || context.Response.HasStarted || context.RequestAborted.IsCancellationRequested)
            {
                return;
            }

            var failure = context.GetForwarderErrorFeature()?.Exception;
            if (!await MayRepeatAsync(context, generation, failure))
            {
                await AnswerFailureAsync(context, function, error, failure);
                return;
            }

            context.Response.Clear();
        }
    }

    /// <summary>The forwarder reports a cancelled call as an error; one that functionTimeout cancelled must be seen as such.</summary>
    private async Task<ForwarderError> ProxyAsync(HttpContext context, HandlerGeneration generation, HandlerTransformer transformer, CancellationToken deadline)
    {
        var error = await forwarder.SendAsync(context, generation.Address, generation.Raw, Proxying, transformer, deadline);
        if (error != ForwarderError.None)
        {
            deadline.ThrowIfCancellationRequested();
        }

        return error;
    }

    /// <summary>A call may go to the next process if the old one never got it, or if getting it twice is harmless.</summary>
    private static async Task<bool> MayRepeatAsync(HttpContext context, HandlerGeneration generation, Exception? failure)
    {
        var neverArrived = failure is HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError };
        var harmless = HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method);
        return (neverArrived || harmless) && await HandlerCalls.ExitsAsync(generation, context.RequestAborted);
    }

    private async Task AnswerFailureAsync(HttpContext context, FunctionDefinition function, ForwarderError error, Exception? failure)
    {
        context.Response.Clear();
        if (TooLarge(failure) is { } large)
        {
            await context.WriteProblemAsync(413, ErrorCodes.BodyTooLarge, large.Message);
        }
        else if (error == ForwarderError.RequestTimedOut)
        {
            await context.WriteProblemAsync(504, ErrorCodes.Unavailable, $"Function '{function.Name}' sent nothing for {Proxying.ActivityTimeout}.");
        }
        else
        {
            logger.InvocationFailed(function.Name, context.TraceIdentifier, failure?.Message ?? error.ToString());
            context.Response.Headers.RetryAfter = "1";
            await context.WriteProblemAsync(502, ErrorCodes.Unavailable, $"The handler was lost while it ran '{function.Name}' ({error}). It is being restarted; whether the call took effect is not known.");
        }
    }

    /// <summary>The reason lies deeper where the body broke off while the handler was being sent it.</summary>
    private static BadHttpRequestException? TooLarge(Exception? failure)
    {
        for (var inner = failure; inner is not null; inner = inner is AggregateException { InnerExceptions: [_, ..] several } ? several.FirstOrDefault(one => TooLarge(one) is not null) : inner.InnerException)
        {
            if (inner is BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } large)
            {
                return large;
            }
        }

        return null;
    }

    /// <summary>The older mode: buffered both ways, and a body without Content-Length never arrives.</summary>
    private async Task ForwardAsync(HttpContext context, FunctionDefinition function, HandlerTransformer transformer)
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
            generation => invoker.WithTimeoutAsync(function, generation, deadline => SendAsync(context, generation, transformer, body, deadline), context.RequestAborted),
            context.RequestAborted);
        context.Response.StatusCode = (int)response.StatusCode;
        foreach (var (name, values) in response.Headers.NonValidated.Concat(response.Content.Headers.NonValidated))
        {
            if (!name.Equals("Transfer-Encoding", StringComparison.OrdinalIgnoreCase) && !name.Equals("Connection", StringComparison.OrdinalIgnoreCase))
            {
                context.Response.Headers[name] = values.ToArray();
            }
        }

        await response.Content.CopyToAsync(context.Response.Body, context.RequestAborted);
    }

    private static async Task<HttpResponseMessage> SendAsync(HttpContext context, HandlerGeneration generation, HandlerTransformer transformer, byte[]? body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(new HttpMethod(context.Request.Method), (Uri?)null);
        request.Content = body is null ? null : new ByteArrayContent(body);
        await transformer.TransformRequestAsync(context, request, generation.Address.TrimEnd('/'), cancellationToken);
        request.RequestUri ??= RequestUtilities.MakeDestinationAddress(generation.Address, context.Request.Path, context.Request.QueryString);
        request.Headers.TryAddWithoutValidation("User-Agent", HostHeaders.UserAgent);
        request.Version = HttpVersion.Version11;
        var response = await generation.Raw.SendAsync(request, cancellationToken);
        await response.Content.LoadIntoBufferAsync(cancellationToken);
        return response;
    }
}
