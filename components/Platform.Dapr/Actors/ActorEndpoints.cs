using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Platform.Dapr.Http;

namespace Platform.Dapr.Actors;

/// <summary>What the sidecar calls at an actor host. A success is exactly 200; anything else counts as a broken host.</summary>
internal sealed class ActorEndpoints(ActorRuntime runtime, ILogger log)
{
    public Task ConfigAsync(HttpContext context)
    {
        var options = runtime.Options;
        var config = new ActorRuntimeConfig(
            [.. options.Types.Keys],
            GoDuration.Format(options.ActorIdleTimeout),
            GoDuration.Format(options.DrainOngoingCallTimeout),
            options.DrainRebalancedActors,
            options.ReentrancyEnabled ? new ActorReentrancyConfig(true, options.ReentrancyMaxStackDepth) : null);
        return context.Response.WriteAsJsonAsync(config, DaprJson.Default.ActorRuntimeConfig, cancellationToken: context.RequestAborted);
    }

    /// <summary>A method call. What it throws is the caller's to see: 200, the error header, code and message.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        var (type, id) = Target(context);
        var name = Value(context, "method");
        if (type?.FindMethod(name) is not { } method)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        try
        {
            var body = await ReadBodyAsync(context);
            Reentrancy.CurrentId = ReentrancyIdOf(context);
            var result = await runtime.RunTurnAsync(type, id, actor => method.InvokeAsync(actor, body, runtime.Json, context.RequestAborted));
            await WriteAsync(context, result);
        }
        catch (Exception e)
        {
            ActorLog.TurnFailed(log, e, type.Name, id, name);
            if (!context.Response.HasStarted)
            {
                context.Response.Headers[DaprHeaders.ErrorResponse] = "true";
                await context.Response.WriteAsJsonAsync(ErrorOf(e), DaprJson.Default.ActorError, cancellationToken: CancellationToken.None);
            }
        }
    }

    /// <summary>A reminder. A throw is a 500, after which the sidecar tries again.</summary>
    public Task RemindAsync(HttpContext context) => CallBackAsync(context, (type, name, callback) => type.IsRemindable
        ? actor => ((IRemindable)actor).ReceiveReminderAsync(name, callback.State, GoDurationOrZero(callback.DueTime), GoDurationOrZero(callback.Period))
        : null);

    /// <summary>A timer.</summary>
    public Task FireTimerAsync(HttpContext context) =>
        CallBackAsync(context, (type, _, callback) => callback.Callback is { } method ? actor => type.InvokeTimerAsync(actor, method, callback.State) : null);

    public async Task DeactivateAsync(HttpContext context)
    {
        var (type, id) = Target(context);
        if (type is not null)
        {
            try
            {
                await runtime.DeactivateAsync(type.Name, id);
            }
            catch (Exception e)
            {
                ActorLog.DeactivationFailed(log, e, type.Name, id); // The actor is gone all the same.
            }
        }
    }

    private async Task CallBackAsync(HttpContext context, Func<ActorTypeInformation, string, ActorCallback, Func<Actor, Task>?> select)
    {
        var (type, id) = Target(context);
        var name = Value(context, "name");
        try
        {
            var body = await ReadBodyAsync(context);
            var callback = (body.IsEmpty ? null : JsonSerializer.Deserialize(body.Span, DaprJson.Default.ActorCallback)) ?? new ActorCallback(null, null, null, null);
            if (type is null || select(type, name, callback) is not { } turn)
            {
                // Nobody will ever answer it here: stop it. The sidecar takes that word from a success only.
                context.Response.Headers[DaprHeaders.ReminderCancel] = "true";
                return;
            }

            Reentrancy.CurrentId = ReentrancyIdOf(context);
            await runtime.RunTurnAsync(type, id, async actor =>
            {
                await turn(actor);
                return null;
            });
        }
        catch (Exception e)
        {
            ActorLog.TurnFailed(log, e, type?.Name ?? "", id, name);
            context.Response.StatusCode = StatusCodes.Status500InternalServerError;
            await context.Response.WriteAsJsonAsync(ErrorOf(e), DaprJson.Default.ActorError, cancellationToken: CancellationToken.None);
        }
    }

    private static ActorError ErrorOf(Exception e) => new(
        e switch
        {
            DaprException { ErrorCode: { } code } => code,
            ActorException own => own.Code,
            ActorArgumentException => "ACTOR_ARGUMENT",
            _ => e.GetType().Name,
        },
        e.Message,
        e.GetType().Name);

    private static async Task WriteAsync(HttpContext context, byte[]? result)
    {
        if (result is null)
        {
            context.Response.ContentLength = 0;
            return;
        }

        context.Response.ContentType = "application/json";
        context.Response.ContentLength = result.Length;
        await context.Response.Body.WriteAsync(result, context.RequestAborted);
    }

    private static async Task<ReadOnlyMemory<byte>> ReadBodyAsync(HttpContext context)
    {
        if (context.Request.ContentLength == 0)
        {
            return default;
        }

        using var buffer = new MemoryStream((int)Math.Clamp(context.Request.ContentLength ?? 0, 0, 1 << 20));
        await context.Request.Body.CopyToAsync(buffer, context.RequestAborted);
        return buffer.GetBuffer().AsMemory(0, (int)buffer.Length);
    }

    private (ActorTypeInformation? Type, string Id) Target(HttpContext context) =>
        (runtime.Options.Types.GetValueOrDefault(Value(context, "type")), Value(context, "id"));

    private static string Value(HttpContext context, string name) => (string)context.Request.RouteValues[name]!;

    private static string? ReentrancyIdOf(HttpContext context) => context.Request.Headers[DaprHeaders.ReentrancyId] is [{ Length: > 0 } id] ? id : null;

    private static TimeSpan GoDurationOrZero(string? text) => GoDuration.TryParse(text, out var value) ? value : TimeSpan.Zero;
}
