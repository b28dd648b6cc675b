using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Platform.DataPlane;
using Platform.Local.Sidecar.Http;
using Platform.Local.Sidecar.Peers;
using Platform.Local.Sidecar.Resiliency;
using Platform.Local.Sidecar.State;

namespace Platform.Local.Sidecar.Actors;

/// <summary><c>/v1.0/actors/{type}/{id}/...</c>: methods, state, reminders, timers.</summary>
internal sealed class ActorsApi(SidecarActors self, ActorTable table, ReminderScheduler reminders, PeerRegistry peers, StateComponent? store, ResiliencyPolicies policies, long maxBodyBytes, ILogger log, TimeProvider time)
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
            ("state", 5) when isWrite => key => SaveStateAsync(context, key),
            ("state", 6) when isGet => key => GetStateAsync(context, key, path.Parameter(5)),
            ("reminders", 6) when isWrite => key => SaveReminderAsync(context, key, path.Parameter(5)),
            ("reminders", 6) when isGet => key => GetReminderAsync(context, key, path.Parameter(5)),
            ("reminders", 6) when isDelete => key => DeleteReminderAsync(context, key, path.Parameter(5)),
            ("timers", 6) when isWrite => key => SaveTimerAsync(context, key, path.Parameter(5)),
            ("timers", 6) when isDelete => key => DeleteTimerAsync(context, key, path.Parameter(5)),
            _ => null,
        };
        if (handler is null)
        {
            return false;
        }

        await handler(ActorKey.Of(path.Parameter(2), path.Parameter(3)));
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
            throw new DaprErrorException(400, "ERR_MALFORMED_REQUEST", "failed to read the body: " + e.Message, e);
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
            var words = (int)answer.Status == 404 ? "actor method not found" : $"error from actor service: ({(int)answer.Status}) {System.Text.Encoding.UTF8.GetString(answer.Body)}";
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
        var policy = policies.ForActor(key.Type);
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

    private StateComponent RequireActive(ActorKey key)
    {
        if (store is null)
        {
            throw new DaprErrorException(500, "ERR_ACTOR_RUNTIME_NOT_FOUND", "the state store is not configured to use the actor runtime. Have you set the - name: actorStateStore value: \"true\" in your state store component file?");
        }

        return table.FindActive(key, self.Host) is not null ? store : throw new DaprErrorException(400, "ERR_ACTOR_INSTANCE_MISSING", "actor instance is missing");
    }

    private string KeyOf(ActorKey actor, string key) => $"{self.AppId}||{actor}||{key}";

    private async Task SaveStateAsync(HttpContext context, ActorKey actor)
    {
        var component = RequireActive(actor);
        using var body = await RequestBody.ReadJsonAsync(context, maxBodyBytes);
        List<StateOperation> operations;
        try
        {
            operations = [.. body.RootElement.EnumerateArray().Select(item => OperationOf(actor, item))];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new DaprErrorException(DaprError.Malformed(e.Message), e);
        }

        try
        {
            if (await component.Store.TransactAsync(operations, CancellationToken.None) is var conflict and not StateConflict.None)
            {
                throw new DaprErrorException(500, "ERR_ACTOR_STATE_TRANSACTION_SAVE", $"error saving actor transaction state: {conflict}");
            }
        }
        catch (StorageException e)
        {
            throw new DaprErrorException(500, "ERR_ACTOR_STATE_TRANSACTION_SAVE", $"error saving actor transaction state: {e.Message}", e);
        }

        await context.AnswerNothingAsync();
    }

    private StateOperation OperationOf(ActorKey actor, JsonElement item)
    {
        var request = GoJson.Find(item, "request") ?? default;
        return GoJson.FindString(item, "operation") switch
        {
            "upsert" when self.HasStateTimeToLive || GoJson.FindMap(request, "metadata").GetValueOrDefault("ttlInSeconds") is null => StateItems.Upsert(request, key => KeyOf(actor, key), new Dictionary<string, string>()),
            "upsert" => throw new DaprErrorException(500, "ERR_ACTOR_STATE_TRANSACTION_SAVE", "error saving actor transaction state: ttlInSeconds is not supported without the \"ActorStateTTL\" feature enabled"),
            "delete" => StateItems.Delete(request, key => KeyOf(actor, key)),
            var other => throw new DaprErrorException(400, "ERR_MALFORMED_REQUEST", $"unknown operation {other}"),
        };
    }

    private async Task GetStateAsync(HttpContext context, ActorKey actor, string key)
    {
        if (RequireActive(actor).Store.Find(KeyOf(actor, key)) is not { } record)
        {
            await context.AnswerNothingAsync();
            return;
        }

        if (record.ExpiresAt is { } end)
        {
            context.Response.Headers["metadata.ttlExpireTime"] = end.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
        }

        await context.AnswerJsonAsync(200, record.Value);
    }

    private void RequireHosted(ActorKey actor)
    {
        if (self.Host?.Hosts(actor.Type) != true)
        {
            throw new DaprErrorException(403, "ERR_ACTOR_REMINDER_NON_HOSTED", "operations on actor reminders are only possible on hosted actor types");
        }
    }

    private async Task SaveReminderAsync(HttpContext context, ActorKey actor, string name)
    {
        RequireHosted(actor);
        try
        {
            using var body = await RequestBody.ReadJsonAsync(context, maxBodyBytes);
            var now = time.GetUtcNow();
            var schedule = ScheduleRequest.Parse(body.RootElement, now);
            await reminders.SaveAsync(ReminderOf(actor, name, schedule, now), schedule.Overwrite);
        }
        catch (Exception e) when (e is FormatException or StorageException)
        {
            throw new DaprErrorException(500, "ERR_ACTOR_REMINDER_CREATE", $"error creating actor reminder: {e.Message}", e);
        }

        await context.AnswerNothingAsync();
    }

    private static Reminder ReminderOf(ActorKey actor, string name, ScheduleRequest schedule, DateTimeOffset now)
    {
        if (schedule.Due is null && schedule.Period is null)
        {
            throw new FormatException("neither dueTime nor period is given");
        }

        if (schedule.Period is null && schedule.Expires is not null)
        {
            throw new FormatException("a reminder that fires once cannot have a ttl");
        }

        if (schedule.Period is { HasCalendarParts: true })
        {
            throw new FormatException("the period of a reminder cannot have days, weeks, months or years");
        }

        var due = schedule.Due ?? now + schedule.Period!.Value.Time;
        return new Reminder
        {
            Type = actor.Type,
            Id = actor.Id,
            Name = name,
            Due = due,
            FirstDue = schedule.Due,
            Period = schedule.Period?.Time,
            Left = schedule.Period is null ? 1 : schedule.Repeats,
            Expires = schedule.Expires,
            Data = schedule.Data,
            MaxRetries = schedule.MaxRetries,
            RetryInterval = schedule.RetryInterval,
        };
    }

    private async Task GetReminderAsync(HttpContext context, ActorKey actor, string name)
    {
        RequireHosted(actor);
        var reminder = reminders.Find(actor, name) ?? throw new DaprErrorException(404, "ERR_ACTOR_REMINDER_NOT_FOUND", $"actor reminder not found: {name}");
        var answer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(answer))
        {
            writer.WriteStartObject();
            writer.WriteString("actorID"u8, actor.Id);
            writer.WriteString("actorType"u8, actor.Type);
            if (reminder.Data is { } data)
            {
                writer.WritePropertyName("data"u8);
                writer.WriteRawValue(data, skipInputValidation: true);
            }

            if (reminder.FirstDue is { } due)
            {
                writer.WriteString("dueTime"u8, due.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture));
            }

            if (reminder.Period is { } period)
            {
                writer.WriteString("period"u8, "@every " + Period.Format(period));
            }

            if (reminder.Expires is { } end)
            {
                writer.WriteString("ttl"u8, end.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture));
            }

            writer.WriteEndObject();
        }

        await context.AnswerJsonAsync(200, answer.WrittenMemory);
    }

    private async Task DeleteReminderAsync(HttpContext context, ActorKey actor, string name)
    {
        RequireHosted(actor);
        await reminders.DeleteAsync(actor, name);
        await context.AnswerNothingAsync();
    }

    private async Task SaveTimerAsync(HttpContext context, ActorKey actor, string name)
    {
        var host = self.Host;
        if (host?.Hosts(actor.Type) != true || table.FindActive(actor, host) is not { } instance)
        {
            throw new DaprErrorException(500, "ERR_ACTOR_TIMER_CREATE", $"error creating actor timer: actor {actor.Type}/{actor.Id} is not active in this app");
        }

        try
        {
            using var body = await RequestBody.ReadJsonAsync(context, maxBodyBytes);
            var schedule = ScheduleRequest.Parse(body.RootElement, time.GetUtcNow());
            var timer = new ActorTimer(name, schedule, body.RootElement, table, instance, host, log, time);
            instance.SetTimer(timer);
            timer.Start();
        }
        catch (FormatException e)
        {
            throw new DaprErrorException(500, "ERR_ACTOR_TIMER_CREATE", $"error creating actor timer: {e.Message}", e);
        }

        await context.AnswerNothingAsync();
    }

    private Task DeleteTimerAsync(HttpContext context, ActorKey actor, string name)
    {
        table.FindActive(actor, self.Host)?.RemoveTimer(name);
        return context.AnswerNothingAsync();
    }
}
