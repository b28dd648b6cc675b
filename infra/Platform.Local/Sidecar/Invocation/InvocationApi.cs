using System.Security.Cryptography;
using System.Text;
using Platform.Local.Sidecar.App;
using Platform.Local.Sidecar.Http;
using Platform.Local.Sidecar.Peers;
using Platform.Local.Sidecar.Resiliency;

namespace Platform.Local.Sidecar.Invocation;

/// <summary>Service invocation: forwards a call to the app with that id, streaming both ways, whatever the app answers.</summary>
/// <remarks>Both sidecars of a call live in this process, so one hop does the work of two: it adds what the callee's sidecar would add.</remarks>
internal sealed class InvocationApi(AppChannel self, AppDirectory apps, PeerRegistry peers, ResiliencyPolicies policies, long maxBodyBytes, ILogger log)
{
    private static readonly UriCreationOptions AsIs = new() { DangerousDisablePathAndQueryCanonicalization = true };

    public async Task HandleAsync(HttpContext context, ApiPath path)
    {
        if (InvocationTarget.Of(context, path) is not { } target)
        {
            await DaprError.NoRoute.WriteAsync(context);
            return;
        }

        var appId = AppIdOf(target.Target);
        try
        {
            if (apps.Find(appId) is { Address: not null } callee)
            {
                await ForwardAsync(context, callee, target.Method, path.Query);
            }
            else if (peers.FindApp(appId) is { } peer)
            {
                await ForwardAsync(context, peer, target.Method, path.Query);
            }
            else
            {
                throw Failure(target.Target, $"couldn't find service: {appId}");
            }
        }
        catch (Exception e) when (e is HttpRequestException or BodyTooLargeException or TimeoutException or CircuitOpenException && !context.Response.HasStarted)
        {
            SidecarLog.InvocationFailed(log, self.AppId, target.Target, target.Method, e.Message);
            throw Failure(target.Target, (e.InnerException as BodyTooLargeException ?? e).Message, e);
        }
    }

    private static DaprErrorException Failure(string target, string why, Exception? inner = null) => new(500, "ERR_DIRECT_INVOKE", $"failed to invoke, id: {target}, err: {why}", inner);

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

    /// <summary>To the app's sidecar in another process, which adds what a callee's sidecar adds.</summary>
    private async Task ForwardAsync(HttpContext context, PeerEntry peer, string method, string query)
    {
        using var request = new HttpRequestMessage(HttpMethod.Parse(context.Request.Method), new Uri($"http://127.0.0.1:{peer.HttpPort}/v1.0/invoke/{peer.AppId}/method/{method}{query}", AsIs));
        if (context.Request.ContentLength > 0 || context.Request.Headers.TransferEncoding.Count > 0)
        {
            request.Content = new ForwardedBody(context, maxBodyBytes);
        }

        ForwardedHeaders.Copy(context, request);
        using var response = await peers.SendAsync(peer, self.AppId, request, context.RequestAborted);
        await ForwardedAnswer.CopyAsync(response, context);
    }

    /// <summary>The app for which the call is made: this sidecar's own, or that of a peer that proves itself.</summary>
    private string CallerOf(HttpContext context) =>
        context.Request.Headers[PeerRegistry.SecretHeader] is [{ } secret] && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes(peers.Secret))
            ? context.Request.Headers[PeerRegistry.CallerHeader].ToString()
            : self.AppId;

    private async Task ForwardAsync(HttpContext context, AppChannel callee, string method, string query)
    {
        if (!callee.IsHealthy)
        {
            throw Failure(callee.AppId, "app is not in a healthy state");
        }

        if (context.Request.ContentLength > maxBodyBytes)
        {
            throw new BodyTooLargeException(maxBodyBytes);
        }

        var policy = policies.ForApp(callee.AppId);
        using var slot = await callee.EnterAsync(context.RequestAborted);
        if (policy.IsNone)
        {
            using var request = CreateRequest(context, callee, method, query, null);
            using var response = await callee.SendAsync(request, context.RequestAborted);
            await ForwardedAnswer.CopyAsync(response, context);
            return;
        }

        // A body of known length is kept, so that it can be sent again; a stream cannot.
        var isStream = context.Request.ContentLength is null && context.Request.Headers.TransferEncoding.Count > 0;
        var body = isStream || !policy.Repeats ? (ReadOnlyMemory<byte>?)null : await RequestBody.ReadAsync(context, maxBodyBytes);
        using var answer = await policy.ExecuteAsync(
            async cancellationToken =>
            {
                using var request = CreateRequest(context, callee, method, query, body);
                return await callee.SendAsync(request, cancellationToken);
            },
            response => (int)response.StatusCode is >= 200 and < 400 ? null : (int)response.StatusCode,
            response => response.Dispose(),
            mayRepeat: !isStream,
            context.RequestAborted);
        await ForwardedAnswer.CopyAsync(answer, context);
    }

    private HttpRequestMessage CreateRequest(HttpContext context, AppChannel callee, string method, string query, ReadOnlyMemory<byte>? body)
    {
        var request = new HttpRequestMessage(HttpMethod.Parse(context.Request.Method), new Uri($"{callee.Address}{method}{query}", AsIs));
        if (body is { } kept)
        {
            request.Content = kept.IsEmpty ? null : new ReadOnlyMemoryContent(kept);
        }
        else if (context.Request.ContentLength > 0 || context.Request.Headers.TransferEncoding.Count > 0)
        {
            request.Content = new ForwardedBody(context, maxBodyBytes);
        }

        ForwardedHeaders.Copy(context, request);
        var caller = CallerOf(context);
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
}
