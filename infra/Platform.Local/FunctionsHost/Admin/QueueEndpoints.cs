using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Platform.Jobs;
using Platform.Local.FunctionsHost.App;
using Platform.Local.FunctionsHost.Http;
using Platform.Local.FunctionsHost.Queues;

namespace Platform.Local.FunctionsHost.Admin;

/// <summary>Looks into the embedded queues and fills them; beyond the contract of Azure's host, for the CLI.</summary>
/// <remarks><c>GET /admin/queues</c>, <c>GET|POST|DELETE /admin/queues/{name}</c>: counts; the first messages (<c>?count=</c>); a message from the body's text; all messages removed.</remarks>
internal sealed class QueueEndpoints(EmbeddedQueueStore store, QueueSettings settings)
{
    public async Task HandleAsync(HttpContext context, string[] path)
    {
        switch (context.Request.Method, path)
        {
            case ("GET", []):
                await WriteAsync(context, 200, new JsonArray([.. store.Names.Select(name => new JsonObject { ["name"] = name, ["messages"] = store.Open(name).Count })]));
                break;
            case ("GET", [var name]) when store.Names.Contains(name):
                await WriteAsync(context, 200, Describe(store.Open(name), Count(context.Request)));
                break;
            case ("POST", [var name]) when QueueProviders.IsName(name):
                using (var reader = new StreamReader(context.Request.Body, Encoding.UTF8))
                {
                    var text = await reader.ReadToEndAsync(context.RequestAborted);
                    await store.Open(name).SendAsync(QueueEncoding.Encode(Encoding.UTF8.GetBytes(text), settings.Base64), context.RequestAborted);
                }

                await WriteAsync(context, 201, new JsonObject { ["name"] = name, ["messages"] = store.Open(name).Count });
                break;
            case ("DELETE", [var name]) when store.Names.Contains(name):
                await store.Open(name).ClearAsync(context.RequestAborted);
                context.Response.StatusCode = StatusCodes.Status204NoContent;
                break;
            default:
                await context.WriteProblemAsync(404, ErrorCodes.RouteNotFound, $"No embedded queue at {context.Request.Path}; there are: {string.Join(", ", store.Names)}.");
                break;
        }
    }

    private static int Count(HttpRequest request) => int.TryParse(request.Query["count"], CultureInfo.InvariantCulture, out var count) ? Math.Clamp(count, 1, 1000) : 32;

    private static async Task WriteAsync(HttpContext context, int status, JsonNode body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json; charset=utf-8";
        await context.Response.WriteAsync(body.ToJsonString(), context.RequestAborted);
    }

    private JsonObject Describe(EmbeddedQueue queue, int count) => new()
    {
        ["name"] = queue.Name,
        ["messages"] = queue.Count,
        ["first"] = new JsonArray([.. queue.Peek(count).Select(message => new JsonObject
        {
            ["id"] = message.Id,
            ["text"] = QueueEncoding.TryDecode(message.Text, settings.Base64, out var body) && QueueEncoding.Text(body) is { } text ? text : message.Text,
            ["dequeueCount"] = message.DequeueCount,
            ["insertionTime"] = message.InsertionTime,
            ["nextVisibleTime"] = message.NextVisibleTime,
        })]),
    };
}
