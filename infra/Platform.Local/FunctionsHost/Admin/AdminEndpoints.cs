using System.Diagnostics;
using System.Text.Json.Nodes;
using Platform.Jobs;
using Platform.Local.FunctionsHost.App;
using Platform.Local.FunctionsHost.Http;
using Platform.Local.FunctionsHost.Invocations;
using Platform.Local.FunctionsHost.Keys;

namespace Platform.Local.FunctionsHost.Admin;

/// <summary>The host's own paths below <c>/admin</c>. All but ping need the master key where keys are enforced.</summary>
internal sealed class AdminEndpoints(FunctionHostState state, KeyGate gate, KeyEndpoints keys, QueueEndpoints queues, ManualTrigger manual, HostVerbs verbs)
{
    public async Task HandleAsync(HttpContext context, string[] path)
    {
        var method = context.Request.Method;
        if (path is ["host", "ping"] && method is "GET" or "POST")
        {
            context.Response.StatusCode = StatusCodes.Status200OK;
            return;
        }

        if (!gate.IsAdmin(context))
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            return;
        }

        if (path is ["host", .. var rest] && verbs.TryHandle(context, rest, out var verb))
        {
            await verb;
            return;
        }

        var answered = (method, path) switch
        {
            ("GET", ["warmup"]) => Task.CompletedTask,
            ("GET", ["host", "status"]) => WriteAsync(context, Status()),
            ("GET", ["host", "keys" or "functionkeys" or "systemkeys"]) or (_, ["host", "keys" or "functionkeys" or "systemkeys", _]) => keys.HandleAsync(context, path[1] == "keys" ? "functionkeys" : path[1], path.ElementAtOrDefault(2)),
            ("GET", ["functions"]) => WriteAsync(context, new JsonArray([.. state.Functions.Select(function => Describe(context, function))])),
            ("GET", ["functions", var name]) when state.Find(name) is { } function => WriteAsync(context, Describe(context, function)),
            ("POST", ["functions", var name]) when state.Find(name) is { } function => manual.HandleAsync(context, function),
            ("GET", ["functions", var name, "status"]) when state.Find(name) is { } function => WriteAsync(context, Errors(function)),
            (_, ["functions", var name, "keys", ..]) when path.Length <= 4 && state.Find(name) is { } function => keys.HandleAsync(context, "function/" + function.Name, path.ElementAtOrDefault(3)),
            (_, ["queues", ..]) => queues.HandleAsync(context, path[1..]),
            _ => context.WriteProblemAsync(404, ErrorCodes.RouteNotFound, $"The host has no {method} {context.Request.Path}, or no function of that name."),
        };
        await answered;
    }

    private static async Task WriteAsync(HttpContext context, JsonNode body)
    {
        context.Response.ContentType = "application/json; charset=utf-8";
        await context.Response.WriteAsync(body.ToJsonString(), context.RequestAborted);
    }

    private static JsonObject Errors(FunctionDefinition function) => new() { ["errors"] = function.Error is { } error ? new JsonArray(error) : new JsonArray() };

    private JsonObject Status() => new()
    {
        ["id"] = state.Id,
        ["state"] = state.State,
        ["version"] = HostHeaders.ContractVersion,
        ["versionDetails"] = HostVerbs.VersionDetails,
        ["instanceId"] = state.Id,
        ["computerName"] = Environment.MachineName,
        ["processUptime"] = (long)(DateTime.UtcNow - Process.GetCurrentProcess().StartTime.ToUniversalTime()).TotalMilliseconds,
        ["functionAppContentEditingState"] = "NotAllowed",
        ["extensionBundle"] = state.ExtensionBundle is { } bundle ? new JsonObject { ["id"] = bundle.Id, ["version"] = bundle.Version } : null,
        ["handlerProcessId"] = state.HandlerProcessId(),
        ["errors"] = new JsonArray([.. state.Functions.Where(function => function.Error is not null).Select(function => (JsonNode)function.Error!)]),
    };

    private JsonObject Describe(HttpContext context, FunctionDefinition function)
    {
        var root = $"{context.Request.Scheme}://{context.Request.Host}";
        return new JsonObject
        {
            ["name"] = function.Name,
            ["script_root_path_href"] = $"{root}/admin/vfs/{function.Name}/",
            ["script_href"] = null,
            ["test_data_href"] = null,
            ["files"] = null,
            ["test_data"] = "",
            ["href"] = $"{root}/admin/functions/{function.Name}",
            ["config_href"] = $"{root}/admin/vfs/{function.Name}/function.json",
            ["invoke_url_template"] = state.Routes.Routes.FirstOrDefault(route => route.Function == function) is { } route ? $"{root}/{route.Template}" : null,
            ["language"] = "custom",
            ["config"] = function.Json.DeepClone(),
            ["isDisabled"] = function.IsDisabled,
            ["isDirect"] = false,
            ["isProxy"] = false,
            ["error"] = function.Error,
        };
    }
}
