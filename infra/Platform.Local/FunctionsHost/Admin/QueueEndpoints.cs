using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Features;
using Platform.DataPlane;
using Platform.Jobs;
using Platform.Local.FunctionsHost.App;
using Platform.Local.FunctionsHost.Http;
using Platform.Local.FunctionsHost.Queues;

namespace Platform.Local.FunctionsHost.Admin;

/// <summary>Looks into the embedded queues and fills them; beyond the contract of Azure's host, for <c>platform queue</c>.</summary>
/// <remarks>
/// <c>GET /admin/queues</c>: every queue with its counts. <c>GET /admin/queues/{name}</c>: counts and the first messages (<c>?count=</c>).
/// <c>POST /admin/queues/{name}</c>: the body as one message, or each line of it with <c>?lines=true</c>; answered when all are durable.
/// <c>DELETE /admin/queues/{name}</c>: all messages removed. <c>POST /admin/queues/{name}/replay</c>: what lies in <c>{name}-poison</c> comes back, with a new count of attempts.
/// </remarks>
internal sealed class QueueEndpoints(EmbeddedQueueStore store, QueueSettings settings)
{
    /// <summary>Messages that are committed together at most when a queue is filled.</summary>
    private const int Window = 512;

    private static readonly TimeSpan ReplayLease = TimeSpan.FromMinutes(1);

    public async Task HandleAsync(HttpContext context, string[] path)
    {
        try
        {
            await AnswerAsync(context, path);
        }
        catch (StorageException exception) when (exception.Error == StorageError.Full)
        {
            await context.WriteProblemAsync(507, ErrorCodes.StorageFull, exception.Message);
        }
        catch (ArgumentException exception)
        {
            await context.WriteProblemAsync(413, ErrorCodes.BodyTooLarge, exception.Message);
        }
    }

    private Task AnswerAsync(HttpContext context, string[] path) => (context.Request.Method, path) switch
    {
        ("GET", []) => WriteAsync(context, 200, new JsonArray([.. store.Names.Select(name => Counts(store.Open(name)))])),
        ("GET", [var name]) when store.Names.Contains(name) => WriteAsync(context, 200, Describe(store.Open(name), Count(context.Request))),
        ("POST", [var name]) when QueueProviders.IsName(name) => context.Request.Query["lines"] == "true" ? FillAsync(context, name) : PutAsync(context, name),
        ("POST", [var name, "replay"]) when QueueProviders.IsName(name) => ReplayAsync(context, name),
        ("DELETE", [var name]) when store.Names.Contains(name) => ClearAsync(context, name),
        _ => context.WriteProblemAsync(404, ErrorCodes.RouteNotFound, $"No embedded queue at {context.Request.Path}; there are: {string.Join(", ", store.Names)}."),
    };

    private async Task PutAsync(HttpContext context, string name)
    {
        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
        await SendAsync(store.Open(name), await reader.ReadToEndAsync(context.RequestAborted), context.RequestAborted);
        await WriteAsync(context, 201, Sent(name, 1));
    }

    /// <summary>Windows of lines, each durable before the next: a failure says how many lines are in.</summary>
    private async Task FillAsync(HttpContext context, string name)
    {
        // Line by line, so the whole may be as long as the store has room.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = null;
        }

        var queue = store.Open(name);
        var sent = 0;
        using var reader = new StreamReader(context.Request.Body, Encoding.UTF8);
        var window = new List<string>(Window);
        while (true)
        {
            var line = await reader.ReadLineAsync(context.RequestAborted);
            if (line is { Length: > 0 })
            {
                window.Add(line);
            }

            if (window.Count == Window || (line is null && window.Count > 0))
            {
                var sends = Task.WhenAll(window.Select(text => SendAsync(queue, text, context.RequestAborted)));
                try
                {
                    await sends;
                }
                catch (Exception exception) when (exception is StorageException or ArgumentException)
                {
                    var (status, code) = exception is ArgumentException ? (413, ErrorCodes.BodyTooLarge) : (507, ErrorCodes.StorageFull);
                    await context.WriteProblemAsync(status, code, $"{exception.Message} The first {sent} lines are in queue '{name}'; of the {window.Count} after them some may be.");
                    return;
                }

                sent += window.Count;
                window.Clear();
            }

            if (line is null)
            {
                await WriteAsync(context, 201, Sent(name, sent));
                return;
            }
        }
    }

    /// <summary>Each message is durable in its queue before it leaves the poison queue: a crash in between leaves it in both, never in none.</summary>
    private async Task ReplayAsync(HttpContext context, string name)
    {
        var poison = store.Open(name + QueueListener.PoisonSuffix);
        var queue = store.Open(name);
        var moved = 0;

        // Only those that are there now: one that fails again comes back behind them, and would be sent for ever.
        var waiting = poison.Count;
        while (moved < waiting && await poison.ReceiveAsync(Math.Min(32, waiting - moved), ReplayLease, context.RequestAborted) is { Count: > 0 } batch)
        {
            foreach (var message in batch)
            {
                await queue.SendAsync(message.Text, context.RequestAborted);
                await poison.DeleteAsync(message.Id, message.PopReceipt, CancellationToken.None);
                moved++;
            }
        }

        await WriteAsync(context, 200, Sent(name, moved));
    }

    private async Task ClearAsync(HttpContext context, string name)
    {
        await store.Open(name).ClearAsync(context.RequestAborted);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private Task SendAsync(EmbeddedQueue queue, string text, CancellationToken cancellationToken) =>
        queue.SendAsync(QueueEncoding.Encode(Encoding.UTF8.GetBytes(text), settings.Base64), cancellationToken);

    private JsonObject Sent(string name, int sent)
    {
        var counts = Counts(store.Open(name));
        counts["sent"] = sent;
        return counts;
    }

    private static int Count(HttpRequest request) => int.TryParse(request.Query["count"], CultureInfo.InvariantCulture, out var count) ? Math.Clamp(count, 1, 1000) : 32;

    private static async Task WriteAsync(HttpContext context, int status, JsonNode body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json; charset=utf-8";
        await context.Response.WriteAsync(body.ToJsonString(), context.RequestAborted);
    }

    private static JsonObject Counts(EmbeddedQueue queue)
    {
        var (messages, visible) = (queue.Count, queue.VisibleCount);
        return new JsonObject { ["name"] = queue.Name, ["messages"] = messages, ["visible"] = visible };
    }

    private JsonObject Describe(EmbeddedQueue queue, int count)
    {
        var counts = Counts(queue);
        counts["first"] = new JsonArray([.. queue.Peek(count).Select(message => new JsonObject
        {
            ["id"] = message.Id,
            ["text"] = QueueEncoding.TryDecode(message.Text, settings.Base64, out var body) && QueueEncoding.Text(body) is { } text ? text : message.Text,
            ["dequeueCount"] = message.DequeueCount,
            ["insertionTime"] = message.InsertionTime,
            ["nextVisibleTime"] = message.NextVisibleTime,
        })]);
        return counts;
    }
}
