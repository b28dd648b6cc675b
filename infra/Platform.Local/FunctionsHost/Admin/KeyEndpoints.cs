using System.Text.Json;
using System.Text.Json.Nodes;
using Platform.Jobs;
using Platform.Local.FunctionsHost.Http;
using Platform.Local.FunctionsHost.Keys;

namespace Platform.Local.FunctionsHost.Admin;

/// <summary>The key management API: list, read, set (a value in the body, or a made one) and delete.</summary>
internal sealed class KeyEndpoints(HostKeys keys)
{
    public Task HandleAsync(HttpContext context, string scope, string? name) => (context.Request.Method, name) switch
    {
        ("GET", null) => WriteAsync(context, 200, new JsonObject { ["keys"] = new JsonArray([.. keys.List(scope).Select(key => Key(key.Key, key.Value))]), ["links"] = new JsonArray() }),
        ("GET", { } one) when Find(scope, one) is { } value => WriteAsync(context, 200, Key(one, value)),
        ("POST" or "PUT", { } one) => SetAsync(context, scope, one),
        ("DELETE", HostKeys.Master) => context.WriteProblemAsync(400, ErrorCodes.InvalidRequest, "The master key cannot be deleted; POST a new one."),
        ("DELETE", { } one) when keys.Remove(scope, one) => EmptyAsync(context),
        _ => context.WriteProblemAsync(404, ErrorCodes.RouteNotFound, $"No key at {context.Request.Path}."),
    };

    private static JsonObject Key(string name, string value) => new() { ["name"] = name, ["value"] = value };

    private static Task EmptyAsync(HttpContext context)
    {
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return Task.CompletedTask;
    }

    private static async Task WriteAsync(HttpContext context, int status, JsonObject body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json; charset=utf-8";
        await context.Response.WriteAsync(body.ToJsonString(), context.RequestAborted);
    }

    private string? Find(string scope, string name) =>
        name == HostKeys.Master ? keys.MasterKey : keys.List(scope).TryGetValue(name, out var value) ? value : null;

    private async Task SetAsync(HttpContext context, string scope, string name)
    {
        var value = HostKeys.NewKey();
        if (context.Request.Method == "PUT")
        {
            try
            {
                var body = await AdminBody.ReadAsync(context);
                value = body.ValueKind is JsonValueKind.Object or JsonValueKind.Null ? body.Text("value") is { Length: > 0 } given ? given : value : throw new JsonException("found no object.");
            }
            catch (JsonException exception)
            {
                await context.WriteProblemAsync(400, ErrorCodes.InvalidJson, $"The body is not JSON: {exception.Message} Expected {{\"name\":\"...\",\"value\":\"...\"}}.");
                return;
            }
        }

        var isNew = false;
        if (name == HostKeys.Master)
        {
            keys.SetMaster(value);
        }
        else
        {
            isNew = keys.Set(scope, name, value);
        }

        await WriteAsync(context, isNew ? 201 : 200, Key(name, value));
    }
}
