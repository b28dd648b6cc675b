using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Platform.Local.Sidecar.Absent;
using Platform.Local.Sidecar.Actors;
using Platform.Local.Sidecar.Configuration;
using Platform.Local.Sidecar.Http;
using Platform.Local.Sidecar.Invocation;
using Platform.Local.Sidecar.Peers;
using Platform.Local.Sidecar.PubSub;
using Platform.Local.Sidecar.Secrets;
using Platform.Local.Sidecar.State;

namespace Platform.Local.Sidecar;

/// <summary>The front door: token, then the route. What matches no route is an invocation, and an error if that has no target either.</summary>
internal sealed class SidecarApi
{
    private const string TokenHeader = "dapr-api-token";
    private const string ForceHeader = "dapr-force-shutdown";

    public required SidecarOptions Options { get; init; }

    public required InvocationApi Invocation { get; init; }

    public required StateApi State { get; init; }

    public required PublishApi Publish { get; init; }

    public required ActorsApi Actors { get; init; }

    public required SecretsApi Secrets { get; init; }

    public required MetadataApi Metadata { get; init; }

    public required HealthApi Health { get; init; }

    /// <summary>What the sidecar does not have.</summary>
    public required AbsentBuildingBlocks Absent { get; init; }

    /// <summary>Which parts of the API are open.</summary>
    public required ApiAccess Access { get; init; }

    /// <summary>What sidecars of other processes show instead of the token.</summary>
    public required string PeerSecret { get; init; }

    /// <summary>Begins the sidecar's end, at once and without draining if true; returns at once.</summary>
    public required Action<bool> Shutdown { get; init; }

    public required ILogger Log { get; init; }

    public async Task HandleAsync(HttpContext context)
    {
        try
        {
            await RouteAsync(context, ApiPath.Parse(context.Features.Get<IHttpRequestFeature>()!.RawTarget));
        }
        catch (DaprErrorException e) when (!context.Response.HasStarted)
        {
            Clear(context);
            await e.Error.WriteAsync(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            context.Abort(); // The caller is gone.
        }
        catch (BadHttpRequestException)
        {
            throw; // Kestrel has the right answer to a malformed request.
        }
        catch (Exception e)
        {
            SidecarLog.RequestFailed(Log, e, Options.AppId, context.Request.Method, context.Request.Path);
            if (context.Response.HasStarted)
            {
                context.Abort();
                return;
            }

            Clear(context);
            await new DaprError(500, "ERR_INTERNAL", e.Message).WriteAsync(context);
        }
    }

    private async Task RouteAsync(HttpContext context, ApiPath path)
    {
        var isHeaderForm = InvocationTarget.FromHeader(context) is not null;
        if (!isHeaderForm && await Health.TryHandleAsync(context, path))
        {
            return;
        }

        if (!IsAllowed(context))
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            context.Response.ContentType = "text/plain; charset=utf-8";
            await context.Response.WriteAsync("invalid api token\n", context.RequestAborted);
            return;
        }

        TraceContext.Begin(context);
        if (context.Request.Headers["baggage"] is { Count: > 0 } baggage && !TraceContext.IsBaggage(baggage.ToString()))
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            context.Response.ContentType = "text/plain";
            await context.Response.WriteAsync("invalid baggage header", context.RequestAborted);
            return;
        }

        if (!isHeaderForm && path.Count >= 2 && Access.IsOpen(path.Raw(1), path.Raw(0)) && await TryHandleAsync(context, path))
        {
            return;
        }

        if (!Access.IsOpen("invoke", "v1.0"))
        {
            await DaprError.NoRoute.WriteAsync(context);
            return;
        }

        await Invocation.HandleAsync(context, path);
    }

    /// <summary>Takes back what a handler had begun to answer; the trace stays.</summary>
    private static void Clear(HttpContext context)
    {
        var trace = context.Response.Headers.TraceParent;
        context.Response.Clear();
        context.Response.Headers.TraceParent = trace;
    }

    private async Task<bool> TryHandleAsync(HttpContext context, ApiPath path)
    {
        if (path.Is(1, "publish") && path.Raw(0) is "v1.0" or "v1.0-alpha1")
        {
            return await Publish.TryHandleAsync(context, path);
        }

        if (path.Is(0, "v1.0"))
        {
            switch (path.Raw(1))
            {
                case "invoke":
                    return false;
                case "state":
                    return await State.TryHandleAsync(context, path);
                case "actors":
                    return await Actors.TryHandleAsync(context, path);
                case "secrets":
                    return await Secrets.TryHandleAsync(context, path);
                case "metadata":
                    return await Metadata.TryHandleAsync(context, path);
                case "shutdown" when path.Count == 2 && HttpMethods.IsPost(context.Request.Method):
                    var isForced = "true".Equals(context.Request.Headers[ForceHeader].ToString(), StringComparison.OrdinalIgnoreCase);
                    context.Response.OnCompleted(() =>
                    {
                        Shutdown(isForced);
                        return Task.CompletedTask;
                    });
                    await context.AnswerNothingAsync();
                    return true;
            }
        }

        if (path.Is(0, "v1.0-alpha1") && path.Is(1, "state"))
        {
            return await State.TryHandleQueryAsync(context, path);
        }

        return await Absent.TryHandleAsync(context, path);
    }

    private bool IsAllowed(HttpContext context) =>
        Options.ApiToken is not { Length: > 0 } token
        || Shows(context, TokenHeader, token)
        || Shows(context, PeerRegistry.SecretHeader, PeerSecret);

    private static bool Shows(HttpContext context, string header, string expected) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(context.Request.Headers[header].ToString()), Encoding.UTF8.GetBytes(expected));
}
