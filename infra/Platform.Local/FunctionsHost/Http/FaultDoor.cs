using System.Text.Json.Nodes;
using Platform.Jobs;
using Platform.Local.FunctionsHost.Admin;
using Platform.Local.FunctionsHost.Invocations;
using Platform.Local.FunctionsHost.Keys;

namespace Platform.Local.FunctionsHost.Http;

/// <summary>Answers while there is no app: 503 with the reason, and the admin paths by which one sees and mends it.</summary>
/// <param name="state">What the host's status says: Error or Offline.</param>
/// <param name="reason">Why there is no app.</param>
/// <param name="gate">Lets callers in to the admin paths.</param>
/// <param name="control">The host.</param>
internal sealed class FaultDoor(string state, string reason, KeyGate gate, IHostControl control) : IFrontDoor
{
    public async Task<bool> HandleAsync(HttpContext context)
    {
        var path = context.Request.Path.Value!.Trim('/').ToLowerInvariant();
        if (path == "admin/host/ping")
        {
            return true;
        }

        if (!path.StartsWith("admin/", StringComparison.Ordinal))
        {
            context.Response.Headers.RetryAfter = "1";
            await context.WriteProblemAsync(503, ErrorCodes.Unavailable, $"Function host is not running. {reason}");
            return true;
        }

        if (!gate.IsAdmin(context))
        {
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            return true;
        }

        await ((context.Request.Method, path) switch
        {
            ("GET", "admin/host/status") => WriteStatusAsync(context),
            ("POST", "admin/host/restart") => HostVerbs.RestartAsync(context, control),
            ("PUT", "admin/host/state") => HostVerbs.SetStateAsync(context, control),
            _ => context.WriteProblemAsync(503, ErrorCodes.Unavailable, $"Function host is not running. {reason}"),
        });
        return true;
    }

    private Task WriteStatusAsync(HttpContext context)
    {
        context.Response.ContentType = "application/json; charset=utf-8";
        var status = new JsonObject { ["state"] = state, ["version"] = HostHeaders.ContractVersion, ["versionDetails"] = HostVerbs.VersionDetails, ["errors"] = state == "Error" ? new JsonArray(reason) : new JsonArray() };
        return context.Response.WriteAsync(status.ToJsonString(), context.RequestAborted);
    }
}
