using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Platform.ConformanceTests.Dapr;

/// <summary>One request that the app got.</summary>
internal sealed record Recorded(string Method, string Path, string? ContentType, string Body, IReadOnlyDictionary<string, string> Headers)
{
    public JsonElement Json => JsonDocument.Parse(Body).RootElement;

    public string Header(string name) => Headers.GetValueOrDefault(name, "");
}

/// <summary>An app that answers everything and remembers it.</summary>
internal sealed class RecordingApp
{
    private readonly ConcurrentQueue<Recorded> _requests = new();

    /// <summary>Answer of <c>/dapr/config</c>; null: 404.</summary>
    public string? Config { get; init; }

    /// <summary>Answer of <c>/dapr/subscribe</c>; null: 404.</summary>
    public string? Subscribe { get; init; }

    /// <summary>Status and body for all other requests; with their number among those of the same path, from 1.</summary>
    public Func<Recorded, int, (int Status, string Body)> Answer { get; init; } = (_, _) => (200, "");

    /// <summary>Headers for all other answers.</summary>
    public Action<IHeaderDictionary> AddHeaders { get; init; } = _ => { };

    public IReadOnlyList<Recorded> All => [.. _requests];

    public void Map(WebApplication app) => app.Run(HandleAsync);

    public IReadOnlyList<Recorded> Of(string path) => [.. _requests.Where(request => request.Path == path)];

    /// <summary>The requests for a path, once there are that many.</summary>
    public async Task<IReadOnlyList<Recorded>> UntilAsync(string path, int count)
    {
        while (Of(path).Count < count)
        {
            await Task.Delay(5, TestContext.Current.CancellationToken);
        }

        return Of(path);
    }

    private async Task HandleAsync(HttpContext context)
    {
        var request = context.Request;
        using var reader = new StreamReader(request.Body, Encoding.UTF8);
        var recorded = new Recorded(request.Method, request.Path.Value!, request.ContentType, await reader.ReadToEndAsync(), request.Headers.ToDictionary(header => header.Key, header => header.Value.ToString(), StringComparer.OrdinalIgnoreCase));
        _requests.Enqueue(recorded);
        var (status, body) = recorded.Path switch
        {
            "/dapr/config" => Config is null ? (404, "") : (200, Config),
            "/dapr/subscribe" => Subscribe is null ? (404, "") : (200, Subscribe),
            var path => Answer(recorded, Of(path).Count),
        };
        if (!recorded.Path.StartsWith("/dapr/", StringComparison.Ordinal))
        {
            AddHeaders(context.Response.Headers);
        }

        context.Response.StatusCode = status;
        if (body.Length > 0)
        {
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync(body);
        }
    }
}
