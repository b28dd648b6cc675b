using System.Text.Json;
using System.Text.Json.Nodes;
using Platform.Jobs;
using Platform.Local.FunctionsHost.App;
using Platform.Local.FunctionsHost.Http;

namespace Platform.Local.FunctionsHost.Admin;

/// <summary>The verbs below <c>/admin/host</c> by which deployments and platforms steer a host: restart, drain and resume, offline, synctriggers, config.</summary>
internal sealed class HostVerbs(HostSettings host, Listeners listeners, InFlight inFlight, IHostControl control)
{
    /// <summary>How the host names itself.</summary>
    public const string VersionDetails = "platform embedded host";

    /// <summary>False if there is no such verb.</summary>
    public bool TryHandle(HttpContext context, string[] path, out Task answered)
    {
        Task? found = (context.Request.Method, path) switch
        {
            ("GET", ["config"]) => WriteAsync(context, 200, JsonNode.Parse(host.Text, documentOptions: new JsonDocumentOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true })!),
            ("POST", ["synctriggers"]) => StatusAsync(context, StatusCodes.Status204NoContent),
            ("POST", ["restart"]) => RestartAsync(context, control),
            ("POST", ["drain"]) => DrainAsync(context),
            ("GET", ["drain", "status"]) => WriteAsync(context, 200, DrainStatus()),
            ("POST", ["resume"]) => ResumeAsync(context),
            ("GET", ["state"]) => WriteAsync(context, 200, JsonValue.Create("running")),
            ("PUT", ["state"]) => SetStateAsync(context, control),
            _ => null,
        };
        answered = found ?? Task.CompletedTask;
        return found is not null;
    }

    public static Task RestartAsync(HttpContext context, IHostControl control)
    {
        control.Restart("POST /admin/host/restart");
        return StatusAsync(context, StatusCodes.Status202Accepted);
    }

    /// <summary>The body is a JSON string: running or offline.</summary>
    public static async Task SetStateAsync(HttpContext context, IHostControl control)
    {
        string state;
        try
        {
            state = (await AdminBody.ReadAsync(context)).ToString();
        }
        catch (JsonException exception)
        {
            await context.WriteProblemAsync(400, ErrorCodes.InvalidJson, $"The body is not JSON: {exception.Message} Expected \"running\" or \"offline\".");
            return;
        }

        if (state is not ("running" or "offline"))
        {
            await context.WriteProblemAsync(400, ErrorCodes.InvalidRequest, $"The state is '{state}'; expected \"running\" or \"offline\".");
            return;
        }

        control.SetOffline(state == "offline");
        context.Response.StatusCode = StatusCodes.Status202Accepted;
    }

    /// <summary>Queues and timers start nothing new; what runs goes on, and so does HTTP.</summary>
    private Task DrainAsync(HttpContext context)
    {
        _ = listeners.Drain();
        return StatusAsync(context, StatusCodes.Status202Accepted);
    }

    private Task ResumeAsync(HttpContext context)
    {
        listeners.Start();
        return WriteAsync(context, 200, new JsonObject { ["state"] = "Running" });
    }

    private JsonObject DrainStatus() => new()
    {
        ["state"] = listeners.IsDraining ? listeners.Running == 0 ? "Completed" : "InProgress" : "Disabled",
        ["outstandingInvocations"] = inFlight.Count,
        ["outstandingListeners"] = listeners.IsDraining ? listeners.Running : 0,
    };

    private static Task StatusAsync(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        return Task.CompletedTask;
    }

    private static Task WriteAsync(HttpContext context, int status, JsonNode body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json; charset=utf-8";
        return context.Response.WriteAsync(body.ToJsonString(), context.RequestAborted);
    }
}
