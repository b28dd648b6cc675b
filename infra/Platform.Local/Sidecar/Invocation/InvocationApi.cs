using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http.Features;
using Platform.Local.Sidecar.App;
using Platform.Local.Sidecar.Http;
using Platform.Local.Sidecar.Peers;
using Platform.Local.Sidecar.Resiliency;

namespace Platform.Local.Sidecar.Invocation;

/// <summary>Service invocation: forwards a call to the app with that id, or to an endpoint outside, streaming both ways, whatever the callee answers.</summary>
/// <remarks>Both sidecars of a call live in this process, so one hop does the work of two: it adds what the callee's sidecar would add.</remarks>
internal sealed class InvocationApi(AppChannel self, AppDirectory apps, PeerRegistry peers, HttpEndpoints endpoints, ResiliencyPolicies policies, long maxBodyBytes, ILogger log)
{
    private static readonly UriCreationOptions AsIs = new() { DangerousDisablePathAndQueryCanonicalization = true };

    public async Task HandleAsync(HttpContext context, ApiPath path)
    {
        if (InvocationTarget.Of(context, path) is not { } target)
        {
            await DaprError.NoRoute.WriteAsync(context);
            return;
        }

        try
        {
            if (context.Request.ContentLength > maxBodyBytes)
            {
                throw new BodyTooLargeException(maxBodyBytes);
            }

            await (endpoints.Find(target.Target) is { } endpoint
                ? ForwardAsync(context, endpoint, target.Method, path.Query)
                : ForwardAsync(context, AppIdOf(target.Target), target, path.Query));
        }
        catch (Exception e) when (e is HttpRequestException or BodyTooLargeException or TimeoutException or CircuitOpenException && !context.Response.HasStarted)
        {
            SidecarLog.InvocationFailed(log, self.AppId, target.Target, target.Method, e.Message);
            throw Failure(target.Target, (e.InnerException as BodyTooLargeException ?? e).Message, e);
        }
    }

    private static DaprErrorException Failure(string target, string why, Exception? inner = null, int status = 500) => new(status, "ERR_DIRECT_INVOKE", $"failed to invoke, id: {target}, err: {why}", inner);

    private static string AppIdOf(string target)
    {
        var dots = target.Count(c => c == '.');
        if (dots > 1)
        {
            throw Failure(target, $"invalid app id {target}");
        }

        // There is one namespace here; a qualified id names the same app.
        return dots == 1 ? target[..target.IndexOf('.', StringComparison.Ordinal)] : target;
    }

    /// <summary>Asked of the connection, not of headers: a stream of HTTP/2 has neither a length nor a transfer encoding.</summary>
    private static bool HasBody(HttpContext context) => context.Features.GetRequiredFeature<IHttpRequestBodyDetectionFeature>().CanHaveBody;

    /// <summary>To an app, through its sidecar: the one that is here, or a peer in another process, which adds what a callee's sidecar adds.</summary>
    private async Task ForwardAsync(HttpContext context, string appId, InvocationTarget target, string query)
    {
        // Policies are the caller's: a peer that hands a call on has applied its own.
        var policy = IsFromPeer(context) ? ResiliencyPolicy.None : policies.ForApp(appId);
        if (policy.IsNone && apps.Find(appId) is { Address: not null } callee)
        {
            using var answer = await CallAsync(context, callee, target.Method, query, null, context.RequestAborted);
            await ForwardedAnswer.CopyAsync(answer.Response, context);
            return;
        }

        await ForwardAsync(context, policy.IsNone ? policies.BetweenSidecars : policy, appId, target, query);
    }

    private Task ForwardAsync(HttpContext context, ResiliencyPolicy policy, string appId, InvocationTarget target, string query) => ForwardAsync(context, policy, (body, cancellationToken) =>
        apps.Find(appId) is { Address: not null } callee
            ? CallAsync(context, callee, target.Method, query, body, cancellationToken)
            : CallAsync(context, peers.FindApp(appId) ?? throw Failure(target.Target, $"couldn't find service: {appId}"), target.Method, query, body, cancellationToken));

    /// <summary>Straight to an endpoint outside: there is no sidecar at the other end, and nobody there is told who calls.</summary>
    private Task ForwardAsync(HttpContext context, HttpEndpoint endpoint, string method, string query) => ForwardAsync(context, policies.ForApp(endpoint.Name), async (body, cancellationToken) =>
    {
        using var request = CreateRequest(context, $"{endpoint.BaseAddress}{method}{query}", body);
        foreach (var (name, value) in endpoint.Headers)
        {
            request.Headers.Remove(name);
            request.Headers.TryAddWithoutValidation(name, value);
        }

        return new Answer(await endpoint.Client.SendAsync(request, cancellationToken), default);
    });

    /// <summary>Calls under a policy; each attempt looks anew for whom it calls.</summary>
    private async Task ForwardAsync(HttpContext context, ResiliencyPolicy policy, Func<ReadOnlyMemory<byte>?, CancellationToken, Task<Answer>> call)
    {
        // A body of known length is kept, so that it can be sent again; a stream cannot.
        var isStream = context.Request.ContentLength is null && HasBody(context);
        var body = isStream || !policy.Repeats ? (ReadOnlyMemory<byte>?)null : await RequestBody.ReadAsync(context, maxBodyBytes);
        using var answer = await policy.ExecuteAsync(
            attempt => call(body, attempt),
            answer => (int)answer.Response.StatusCode is >= 200 and < 400 ? null : (int)answer.Response.StatusCode,
            answer => answer.Dispose(),
            mayRepeat: !isStream,
            context.RequestAborted);
        await ForwardedAnswer.CopyAsync(answer.Response, context);
    }

    private async Task<Answer> CallAsync(HttpContext context, PeerEntry peer, string method, string query, ReadOnlyMemory<byte>? body, CancellationToken cancellationToken)
    {
        using var request = CreateRequest(context, $"http://127.0.0.1:{peer.HttpPort}/v1.0/invoke/{peer.AppId}/method/{method}{query}", body);
        return new Answer(await peers.SendAsync(peer, self.AppId, request, cancellationToken), default);
    }

    private async Task<Answer> CallAsync(HttpContext context, AppChannel callee, string method, string query, ReadOnlyMemory<byte>? body, CancellationToken cancellationToken)
    {
        if (!callee.IsHealthy)
        {
            throw Failure(callee.AppId, "app is not in a healthy state");
        }

        var caller = CallerOf(context);
        if (callee.AccessControl is { } access && caller != callee.AppId && !access.Allows(caller, Uri.UnescapeDataString(method), context.Request.Method))
        {
            throw Failure(callee.AppId, $"rpc error: code = PermissionDenied desc = access control policy has denied access to id: {caller} operation: {method} verb: {context.Request.Method}", status: 403);
        }

        var slot = await callee.EnterAsync(cancellationToken);
        try
        {
            using var request = CreateRequest(context, callee, caller, method, query, body);
            return new Answer(await callee.SendAsync(request, cancellationToken), slot);
        }
        catch
        {
            slot.Dispose();
            throw;
        }
    }

    private bool IsFromPeer(HttpContext context) =>
        context.Request.Headers[PeerRegistry.SecretHeader] is [{ } secret] && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(peers.Secret));

    /// <summary>The app for which the call is made: this sidecar's own, or that of a peer that proves itself.</summary>
    private string CallerOf(HttpContext context) => IsFromPeer(context) ? context.Request.Headers[PeerRegistry.CallerHeader].ToString() : self.AppId;

    private HttpRequestMessage CreateRequest(HttpContext context, string address, ReadOnlyMemory<byte>? body)
    {
        var request = new HttpRequestMessage(HttpMethod.Parse(context.Request.Method), new Uri(address, AsIs));
        if (body is { IsEmpty: false } kept)
        {
            request.Content = new ReadOnlyMemoryContent(kept);
        }
        else if (body is null && HasBody(context))
        {
            request.Content = new ForwardedBody(context, maxBodyBytes);
        }
        else if (context.Request.ContentType is not null)
        {
            request.Content = new ReadOnlyMemoryContent(default); // Nothing but its type is there to be told.
        }

        ForwardedHeaders.Copy(context, request);
        return request;
    }

    private HttpRequestMessage CreateRequest(HttpContext context, AppChannel callee, string caller, string method, string query, ReadOnlyMemory<byte>? body)
    {
        var request = CreateRequest(context, $"{callee.Address}{method}{query}", body);
        if (caller != callee.AppId)
        {
            var headers = request.Headers;
            headers.TryAddWithoutValidation("dapr-caller-app-id", caller);
            headers.TryAddWithoutValidation("dapr-caller-namespace", "default");
            headers.TryAddWithoutValidation("dapr-callee-app-id", callee.AppId);
            headers.TryAddWithoutValidation("X-Forwarded-For", "127.0.0.1");
            headers.TryAddWithoutValidation("X-Forwarded-Host", context.Request.Host.Value);
            headers.TryAddWithoutValidation("Forwarded", $"for=127.0.0.1;by=127.0.0.1;host={context.Request.Host.Value}");
        }

        return request;
    }

    /// <summary>An answer and the app's room that it takes until it is read to its end.</summary>
    private readonly record struct Answer(HttpResponseMessage Response, AppChannel.Slot Slot) : IDisposable
    {
        public void Dispose()
        {
            Response.Dispose();
            Slot.Dispose();
        }
    }
}
