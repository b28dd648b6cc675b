using System.Globalization;
using System.Text.Json;
using Platform.DataPlane;
using Platform.Local.Sidecar.Http;
using Platform.Local.Sidecar.Resiliency;
using Platform.Local.Sidecar.State;

namespace Platform.Local.Sidecar.Actors;

/// <summary><c>/v1.0/actors/{type}/{id}/state</c>: written only by an actor that is active in this sidecar's app, and all of a request or nothing.</summary>
internal sealed class ActorStateApi(SidecarActors self, ActorTable table, StateComponent? store, ResiliencyPolicies policies, long maxBodyBytes)
{
    public async Task SaveAsync(HttpContext context, ActorKey actor)
    {
        if (table.FindActive(actor, self.Host) is null)
        {
            throw new DaprErrorException(400, "ERR_ACTOR_INSTANCE_MISSING", "actor instance is missing");
        }

        var component = RequireStore();
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
            if (await policies.ForStateOutbound(component.Resource.Name).ExecuteAsync(_ => component.Store.TransactAsync(operations, CancellationToken.None), CancellationToken.None) is var conflict and not StateConflict.None)
            {
                throw new DaprErrorException(500, "ERR_ACTOR_STATE_TRANSACTION_SAVE", $"error saving actor transaction state: {conflict}");
            }
        }
        catch (Exception e) when (e is StorageException or TimeoutException or CircuitOpenException)
        {
            throw new DaprErrorException(500, "ERR_ACTOR_STATE_TRANSACTION_SAVE", $"error saving actor transaction state: {e.Message}", e);
        }

        await context.AnswerNothingAsync();
    }

    public async Task GetAsync(HttpContext context, ActorKey actor, string key)
    {
        if (RequireStore().Store.Find(KeyOf(actor, key)) is not { } record)
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

    private StateComponent RequireStore() => store
        ?? throw new DaprErrorException(500, "ERR_ACTOR_RUNTIME_NOT_FOUND", "the state store is not configured to use the actor runtime. Have you set the - name: actorStateStore value: \"true\" in your state store component file?");

    private string KeyOf(ActorKey actor, string key) => $"{self.AppId}||{actor}||{key}";
}
