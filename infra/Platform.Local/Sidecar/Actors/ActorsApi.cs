using Platform.Local.Sidecar.Http;
using Platform.Local.Sidecar.Peers;
using Platform.Local.Sidecar.Resiliency;

namespace Platform.Local.Sidecar.Actors;

/// <summary><c>/v1.0/actors/{type}/{id}/...</c>: methods, state, reminders, timers.</summary>
internal sealed class ActorsApi(SidecarActors self, ActorTable table, ActorStateApi state, ActorScheduleApi schedules, PeerRegistry peers, ResiliencyPolicies policies, long maxBodyBytes)
{
    /// <summary>Handles a request whose path is <c>v1.0/actors/...</c>; false if it is none of ours.</summary>
    public async Task<bool> TryHandleAsync(HttpContext context, ApiPath path)
    {
        if (path.Count < 5)
        {
            return false;
        }

        var method = context.Request.Method;
        var isWrite = HttpMethods.IsPost(method) || HttpMethods.IsPut(method);
        var isGet = HttpMethods.IsGet(method);
        var isDelete = HttpMethods.IsDelete(method);
        Func<ActorKey, Task>? handler = (path.Raw(4), path.Count) switch
        {
            ("method", 6) when isWrite || isGet || isDelete => key => InvokeAsync(context, key, path),
            ("state", 5) when isWrite => key => state.SaveAsync(context, key),
            ("state", 6) when isGet => key => state.GetAsync(context, key, path.Parameter(5)),
            ("reminders", 6) when isWrite => key => schedules.SaveReminderAsync(context, key, path.Parameter(5)),
            ("reminders", 6) when isGet => key => schedules.GetReminderAsync(context, key, path.Parameter(5)),
            ("reminders", 6) when isDelete => key => schedules.DeleteReminderAsync(context, key, path.Parameter(5)),
            ("timers", 6) when isWrite => key => schedules.SaveTimerAsync(context, key, path.Parameter(5)),
            ("timers", 6) when isDelete => key => schedules.DeleteTimerAsync(context, key, path.Parameter(5)),
            _ => null,
        };
        if (handler is null)
        {
            return false;
        }

        var actor = ActorKey.Of(path.Parameter(2), path.Parameter(3));
        if (actor.IsReserved && path.Raw(4) != "method")
        {
            throw new DaprErrorException(403, "ERR_ACTOR_TYPE_RESERVED", $"actor type \"{actor.Type}\" is reserved for the Dapr workflow runtime; direct actor API access is not permitted");
        }

        await handler(actor);
        return true;
    }

    private async Task InvokeAsync(HttpContext context, ActorKey key, ApiPath path)
    {
        var name = path.Parameter(5);
        if (!table.Placement.Hosts(key.Type) && peers.FindActorHost(key.Type) is { } peer)
        {
            await ForwardAsync(context, peer, key, name, path.Query);
            return;
        }

        ReadOnlyMemory<byte> body;
        try
        {
            body = await RequestBody.ReadAsync(context, maxBodyBytes);
        }
        catch (BodyTooLargeException e)
        {
            throw new DaprErrorException(400, "ERR_BAD_REQUEST", "invalid request: failed to read body: " + e.Message, e);
        }

        var turn = new ActorTurn
        {
            Path = Uri.EscapeDataString(name) + path.Query,
            Body = body,
            Chain = context.Request.Headers["Dapr-Reentrancy-Id"] is [{ Length: > 0 } chain] ? chain : null,
            AddHeaders = request => ForwardedHeaders.Copy(context, request),
        };
        var answer = await RunAsync(key, turn, context.RequestAborted);
        if (!answer.IsSuccess)
        {
            var words = (int)answer.Status == 404 ? $"actor method not found: actors/{key.Type}/{key.Id}/method/{name}" : $"error from actor service: ({(int)answer.Status}) {System.Text.Encoding.UTF8.GetString(answer.Body)}";
            throw new DaprErrorException(500, "ERR_ACTOR_INVOKE_METHOD", "error invoke actor method: " + words);
        }

        context.Response.StatusCode = 200;
        ForwardedHeaders.Copy(answer.Headers, context.Response);
        ForwardedHeaders.Copy(answer.ContentHeaders, context.Response);
        context.Response.ContentLength = answer.Body.Length;
        await context.Response.BodyWriter.WriteAsync(answer.Body, context.RequestAborted);
    }

    /// <summary>To the sidecar of another process, whose app hosts the type and where the actor's turns are ordered.</summary>
    private async Task ForwardAsync(HttpContext context, PeerEntry peer, ActorKey key, string method, string query)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, new Uri($"http://127.0.0.1:{peer.HttpPort}/v1.0/actors/{Uri.EscapeDataString(key.Type)}/{Uri.EscapeDataString(key.Id)}/method/{Uri.EscapeDataString(method)}{query}"));
        request.Content = new ForwardedBody(context, maxBodyBytes);
        ForwardedHeaders.Copy(context, request);
        try
        {
            using var response = await peers.SendAsync(peer, self.AppId, request, context.RequestAborted);
            await ForwardedAnswer.CopyAsync(response, context);
        }
        catch (HttpRequestException e)
        {
            throw new DaprErrorException(500, "ERR_ACTOR_INVOKE_METHOD", $"error invoke actor method: {e.Message}", e);
        }
    }

    private async Task<ActorAnswer> RunAsync(ActorKey key, ActorTurn turn, CancellationToken cancellationToken)
    {
        var policy = policies.ForActor(key);
        if (policy.IsNone)
        {
            return (await table.RunAsync(key, turn, cancellationToken))!;
        }

        try
        {
            return await policy.ExecuteAsync(
                async attempt => (await table.RunAsync(key, turn, attempt).WaitAsync(attempt))!, // A turn that is late goes on alone; only the waiting ends.
                answer => answer.IsSuccess ? null : (int)answer.Status,
                _ => { },
                mayRepeat: true,
                cancellationToken);
        }
        catch (Exception e) when (e is TimeoutException or CircuitOpenException)
        {
            throw new DaprErrorException(500, "ERR_ACTOR_INVOKE_METHOD", $"error invoke actor method: {e.Message}", e);
        }
    }
}
