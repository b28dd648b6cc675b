using Microsoft.AspNetCore.Http.Features;
using Platform.Jobs;
using Platform.Local.FunctionsHost.Admin;
using Platform.Local.FunctionsHost.App;
using Platform.Local.FunctionsHost.Invocations;
using Platform.Local.FunctionsHost.Keys;

namespace Platform.Local.FunctionsHost.Http;

/// <summary>Takes every HTTP request of the host: bounds, route, key, then the function.</summary>
internal sealed class HttpFrontDoor(
    HostSettings host,
    FunctionHostState state,
    KeyGate gate,
    AdminEndpoints admin,
    RawHttpRunner raw,
    EnvelopeHttpRunner envelopes,
    InFlight inFlight,
    CorsSettings cors,
    long maxBodyBytes,
    bool hasHomepage,
    ILogger logger) : IFrontDoor
{
    private readonly CorsDoor? _cors = cors.Origins.Count > 0 ? new CorsDoor(cors) : null;
    private readonly SemaphoreSlim? _turns = host.Http.MaxConcurrentRequests > 0 ? new SemaphoreSlim(host.Http.MaxConcurrentRequests) : null;
    private readonly bool _addsHeaders = host.Http.CustomHeaders.Count > 0 || host.Http.StrictTransportSecurity is not null;

    public async Task<bool> HandleAsync(HttpContext context)
    {
        if (_cors?.Answers(context) == true)
        {
            return true;
        }

        if (context.Request.Path.StartsWithSegments("/admin", StringComparison.OrdinalIgnoreCase))
        {
            await AdministerAsync(context);
            return true;
        }

        if (inFlight.TryEnter(host.Http.MaxOutstandingRequests) is not { } visit)
        {
            if (inFlight.IsDraining)
            {
                return false;
            }

            await RefuseAsync(context);
            return true;
        }

        using (visit)
        {
            if (_addsHeaders)
            {
                context.Response.OnStarting(AddHeaders, context);
            }

            await (_turns is null ? RouteAsync(context) : InTurnAsync(context, _turns));
            return true;
        }
    }

    private async Task AdministerAsync(HttpContext context)
    {
        LimitBody(context);
        try
        {
            await admin.HandleAsync(context, context.Request.Path.Value!.Trim('/').Split('/')[1..]);
        }
        catch (BadHttpRequestException exception) when (exception.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            await AnswerTooLargeAsync(context);
        }
    }

    private async Task InTurnAsync(HttpContext context, SemaphoreSlim turns)
    {
        await turns.WaitAsync(context.RequestAborted);
        try
        {
            await RouteAsync(context);
        }
        finally
        {
            turns.Release();
        }
    }

    private Task AddHeaders(object state)
    {
        var context = (HttpContext)state;
        foreach (var (name, value) in host.Http.CustomHeaders)
        {
            context.Response.Headers[name] = value;
        }

        if (host.Http.StrictTransportSecurity is { } hsts && context.Request.IsHttps)
        {
            context.Response.Headers.StrictTransportSecurity = hsts;
        }

        return Task.CompletedTask;
    }

    private async Task RouteAsync(HttpContext context)
    {
        if (state.Routes.Match(context, out var values, out var otherVerbs) is not { } route)
        {
            await AnswerUnroutedAsync(context, otherVerbs);
            return;
        }

        var function = route.Function;
        if (function.IsDisabled && !gate.IsMaster(context))
        {
            await context.WriteProblemAsync(404, ErrorCodes.RouteNotFound, $"Function '{function.Name}' is disabled.");
            return;
        }

        if (!gate.LetsIn(context, function))
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            return;
        }

        LimitBody(context);
        if (context.Request.ContentLength > maxBodyBytes)
        {
            await AnswerTooLargeAsync(context);
            return;
        }

        context.TraceIdentifier = InvocationIds.Next();
        try
        {
            await (function.AllowsRawHttp && (host.Handler.Proxying || host.Handler.Forwarding)
                ? raw.RunAsync(context, function)
                : envelopes.RunAsync(context, function, values));
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The caller has gone.
        }
        catch (BadHttpRequestException exception) when (exception.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            await AnswerTooLargeAsync(context);
        }
        catch (BadHttpRequestException exception)
        {
            await context.WriteProblemAsync(exception.StatusCode, ErrorCodes.InvalidRequest, $"The request's body did not arrive whole: {exception.Message}");
        }
        catch (InvocationException exception)
        {
            await context.WriteProblemAsync(500, ErrorCodes.Internal, exception.Message);
        }
        catch (FunctionAppException exception)
        {
            await context.WriteProblemAsync(503, ErrorCodes.Unavailable, $"Function host is not running. {exception.Message}");
        }
        catch (Exception exception)
        {
            logger.RequestFailed(function.Name, exception);
            await context.WriteProblemAsync(500, ErrorCodes.Internal, $"The host could not pass the request to function '{function.Name}': {exception.Message}");
        }
    }

    private void LimitBody(HttpContext context)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = maxBodyBytes;
        }
    }

    private Task AnswerUnroutedAsync(HttpContext context, IReadOnlyList<string> otherVerbs)
    {
        if (context.Request.Path == "/" && hasHomepage)
        {
            context.Response.ContentType = "text/html; charset=utf-8";
            return context.Response.WriteAsync("<!doctype html><title>Functions host</title><p>Your function app is up and running.</p>", context.RequestAborted);
        }

        if (context.Request.Path == "/")
        {
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return Task.CompletedTask;
        }

        var hint = otherVerbs.Count > 0
            ? $"The path takes {string.Join(", ", otherVerbs)}."
            : "GET /admin/functions lists what there is.";
        return context.WriteProblemAsync(404, ErrorCodes.RouteNotFound, $"No function answers {context.Request.Method} {context.Request.Path}. {hint}");
    }

    private Task AnswerTooLargeAsync(HttpContext context) =>
        context.WriteProblemAsync(413, ErrorCodes.BodyTooLarge, $"The body is larger than {maxBodyBytes} bytes. Put large data into object storage and send its key, or raise FUNCTIONS_REQUEST_BODY_SIZE_LIMIT.");

    private Task RefuseAsync(HttpContext context)
    {
        context.Response.Headers["X-FUNCTION-SCALEOUT"] = "1";
        context.Response.Headers.RetryAfter = "1";
        return context.WriteProblemAsync(429, ErrorCodes.TooManyRequests, $"The host has {host.Http.MaxOutstandingRequests} requests under way, its limit (extensions.http.maxOutstandingRequests).");
    }
}
